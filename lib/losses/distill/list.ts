/** What follows from the list of methods: names, published values, options of all of them. */
import { Random } from '../../base'
import type { DetectorConfig } from '../../detector/types'
import type { Method } from './method'
import * as methods from './methods'
import type { Variables } from './types'

type AnyMethod = (typeof methods)[keyof typeof methods]
export type MethodName = AnyMethod['name']

type OptionsOf<M> = M extends Method<string, infer Shape>
  ? NonNullable<Parameters<Method<string, Shape>['loss']>[3]>
  : never
type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (all: infer All) => void
  ? All
  : never

/** The options of all the methods, each of which takes those of its own alone. */
export type DistillationOptions = Omit<Intersection<OptionsOf<AnyMethod>>, 'method' | 'weight' | 'schedule'>

/** All the methods, in the order of their numbers. */
export const METHODS: readonly AnyMethod[] = Object.values(methods).sort((a, b) => a.number - b.number)

export const METHOD_NAMES = METHODS.map(({ name }) => name) as [MethodName, ...MethodName[]]

/** Weight (lambda) and options of the methods as published; every default comes from here. */
export const PUBLISHED = Object.fromEntries(METHODS.map(({ name, published }) => [name, published])) as {
  readonly [Name in MethodName]: Extract<AnyMethod, { name: Name }>['published']
}

/**
 * A method by its name.
 * @throws Error for an unknown one, with those there are
 */
export function methodNamed(name: MethodName): AnyMethod {
  const found = METHODS.find((method) => method.name === name)
  if (!found) {
    throw new Error(`unknown distillation method "${name}"; there are ${METHOD_NAMES.join(', ')}`)
  }
  return found
}

/** The variables of several methods, each by the names that its own loss knows. */
export type MethodVariables = { readonly [Name in MethodName]?: Variables }

/**
 * First values of the variables that are trained along with these methods; the caller owns the tensors. A method's depend on
 * the seed alone, not on the methods beside it: each draws from the sequence 'adapters' anew.
 */
export function createVariables(
  names: readonly MethodName[],
  student: DetectorConfig,
  teacher: DetectorConfig,
  seed: number,
): MethodVariables {
  return Object.fromEntries(
    names.map((name) => [
      name,
      methodNamed(name).variables?.(student, teacher, new Random('adapters', seed)) ?? new Map(),
    ]),
  )
}
