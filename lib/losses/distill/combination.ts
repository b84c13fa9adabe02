/** Combines methods: a weighted sum, each with its own schedule. */
import type { DetectorOutput } from '../../detector'
import { tf } from '../../engine'
import type { LossResult } from '../types'
import type { Connecting, Connection } from './connect'
import {
  type DistillationOptions,
  type MethodName,
  type MethodVariables,
  methodNamed,
  PUBLISHED,
} from './list'
import { sumOf } from './pairs'
import { type Schedule, scheduleFactor } from './schedule'
import type { DistillationConfig } from './types'

/** One method of a combination, with its own weight, schedule and options. */
export interface DistillationTerm extends DistillationOptions, Connecting {
  readonly method: MethodName
  /** lambda; the published one by default. */
  readonly weight?: number
  readonly schedule?: Schedule
}

export interface CombinationOptions {
  readonly methods: readonly DistillationTerm[]
  /** The step at which schedules are read; needed if a method has one and `weights` are not given. */
  readonly step?: number
  /**
   * Factors of the methods, in the order of `methods`, replacing their lambdas: `methodWeights` at the current
   * step. Fed to a recorded graph as scalars, they change from step to step without a new recording.
   */
  readonly weights?: readonly (tf.Scalar | number)[]
  /** From `createVariables` for these methods; needed if a method has variables, such as adapters between widths. */
  readonly variables?: MethodVariables
  /** From `connect` for these methods; needed if the networks differ. Default: scales and features by their order. */
  readonly connections?: readonly Connection[]
}

/**
 * lambda * schedule of every method at a step.
 * @throws Error for a lambda below 0 or not finite, or a malformed schedule
 */
export function methodWeights(methods: readonly DistillationTerm[], step: number): number[] {
  return methods.map(({ method, weight = PUBLISHED[method].weight, schedule }) => {
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`weight of ${method}: expected a number of at least 0, found ${weight}`)
    }
    return weight * scheduleFactor(step, schedule)
  })
}

/**
 * Sum of weight * method(student, teacher) over the methods of a combination, over all images of the batch, labelled
 * or not.
 *
 * @returns terms '<method>/<term>', weighted
 * @throws Error for an unknown method, a method listed twice, a wrong number of weights, or a schedule
 *   without a step
 */
export function distillationLoss(
  student: DetectorOutput,
  teacher: DetectorOutput,
  config: DistillationConfig,
  options: CombinationOptions,
): LossResult {
  const { methods, step } = options
  checkMethods(methods)
  const scheduled = methods.find(({ schedule }) => schedule)
  if (scheduled && step === undefined && options.weights === undefined) {
    throw new Error(
      `"${scheduled.method}" has a schedule: expected the step, or weights from methodWeights, found neither`,
    )
  }
  const { weights = methodWeights(methods, step ?? 0), variables = {}, connections } = options
  const unconnected = methods.find(({ scales, features }) => scales !== undefined || features !== undefined)
  if (unconnected && !connections)
    throw new Error(
      `"${unconnected.method}" says what it compares: expected connections from connect, found none`,
    )
  if (weights.length !== methods.length) {
    throw new Error(`expected a weight for each of ${methods.length} methods, found ${weights.length}`)
  }
  return sumOf(
    methods.flatMap((term, i) => {
      const method = methodNamed(term.method)
      const connection = connections?.[i]
      const compared = connection?.apply(student, teacher) ?? { student, teacher }
      const { terms } = method.loss(
        compared.student,
        compared.teacher,
        connection?.config ?? config,
        term,
        variables[term.method],
      )
      return Object.entries(terms).map(
        ([name, value]) => [`${term.method}/${name}`, tf.mul<tf.Scalar>(value, weights[i]!)] as const,
      )
    }),
  )
}

function checkMethods(methods: readonly DistillationTerm[]): void {
  if (methods.length === 0) throw new Error('expected at least one distillation method, found none')
  for (const [i, { method }] of methods.entries()) {
    methodNamed(method) // refuses an unknown one
    if (methods.findIndex((other) => other.method === method) !== i) {
      throw new Error(`distillation method "${method}" is listed twice; give it once, with the weights added`)
    }
  }
}
