import { z } from 'zod'
import { tf } from '../engine'

/**
 * Exponential moving average of the weights and running statistics (Polyak & Juditsky 1992; Tarvainen & Valpola 2017). It
 * replaces the last weights in evaluations and in the final model.
 */
export const averageSchema = z
  .object({
    /** Fraction of the average kept at a step; less at first, see `averageDecay`. */
    decay: z.number().min(0).lt(1).default(0.999),
  })
  .strict()

export type AverageOptions = z.infer<typeof averageSchema>

/**
 * The fraction of the average kept at a step: min(decay, (1 + t) / (10 + t)), so that the initial weights are soon
 * forgotten (TensorFlow's ExponentialMovingAverage with num_updates).
 *
 * @param step t, counted from 0
 */
export function averageDecay({ decay }: AverageOptions, step: number): number {
  return Math.min(decay, (1 + step) / (10 + step))
}

/**
 * One step in place: a <- a - (1 - decay) * (a - w), for every variable of two parallel lists. It is part of the training
 * step's graph.
 *
 * @param decay scalar, different at every step
 */
export function updateAverage(
  averages: readonly tf.Variable[],
  variables: readonly tf.Variable[],
  decay: tf.Scalar,
): void {
  const share = tf.sub(1, decay)
  averages.forEach((average, i) => {
    average.assign(tf.sub(average, tf.mul(tf.sub(average, variables[i]!), share)))
  })
}
