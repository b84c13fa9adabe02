/** Everything derived from the list of methods: names, published values, all options. */
import { Random } from '../../base'
import type { HeadConfig } from '../../detector'
import type { Method } from './method'
import * as methods from './methods'
import type { Variables } from './types'

type AnyMethod = (typeof methods)[keyof typeof methods]
/** Name of a distillation method. */
export type MethodName = AnyMethod['name']

type OptionsOf<M> = M extends Method<string, infer Shape>
  ? NonNullable<Parameters<Method<string, Shape>['loss']>[3]>
  : never
type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (all: infer All) => void
  ? All
  : never

/** The options of all methods; each method takes only its own. */
export type DistillationOptions = Omit<
  Intersection<OptionsOf<AnyMethod>>,
  'method' | 'weight' | 'schedule' | 'scales' | 'features'
>

/** All methods, in the order of their numbers. */
export const METHODS: readonly AnyMethod[] = Object.values(methods).sort((a, b) => a.number - b.number)

/** Names of the distillation methods, in the order of all tables and figures. */
export const METHOD_NAMES = METHODS.map(({ name }) => name) as [MethodName, ...MethodName[]]

/** Weight (lambda) and options of the methods as published; every default comes from here. */
export const PUBLISHED = Object.fromEntries(METHODS.map(({ name, published }) => [name, published])) as {
  readonly [Name in MethodName]: Extract<AnyMethod, { name: Name }>['published']
}

/**
 * A method by its name.
 * @throws Error for an unknown name, listing the known ones
 */
export function methodNamed(name: MethodName): AnyMethod {
  const found = METHODS.find((method) => method.name === name)
  if (!found) {
    throw new Error(`unknown distillation method "${name}"; there are ${METHOD_NAMES.join(', ')}`)
  }
  return found
}

/** The variables of several methods, each by the names that its loss uses. */
export type MethodVariables = { readonly [Name in MethodName]?: Variables }

/**
 * Initial values of the variables trained along with these methods; the caller owns the tensors. A method's values depend
 * on the seed alone, not on the other methods: each restarts the sequence 'adapters'.
 */
export function createVariables(
  names: readonly MethodName[],
  student: Pick<HeadConfig, 'featureWidths'>,
  teacher: Pick<HeadConfig, 'featureWidths'>,
  seed: number,
): MethodVariables {
  return Object.fromEntries(
    names.map((name) => [
      name,
      methodNamed(name).variables?.(student, teacher, new Random('adapters', seed)) ?? new Map(),
    ]),
  )
}
