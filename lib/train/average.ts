import { z } from 'zod'
import { assignJoined, joined, tf } from '../engine'

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

/** How fast a moving average of the weights forgets. */
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
 * One step in place: a <- a - (1 - decay) * (a - w), for the variables of two parallel lists as one vector each. It is part of the
 * training step's graph.
 *
 * @param decay scalar, different at every step
 */
export function updateAverage(
  averages: readonly tf.Variable[],
  variables: readonly tf.Variable[],
  decay: tf.Scalar,
): void {
  const average = joined(averages)
  const distance = tf.sub(average, joined(variables))
  assignJoined(averages, tf.sub(average, tf.mul(distance, tf.sub(1, decay))))
}
