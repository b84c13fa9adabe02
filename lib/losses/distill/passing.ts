/** Where the teacher sees an object. */
import { z } from 'zod'
import { parseDocument } from '../../base'
import { tf } from '../../engine'
import { objectnessLogits } from './pairs'

/** The least teacher objectness, as a probability, of a slot that counts. */
export const thresholdSchema = z.number().min(0).max(1)

/** The published threshold. */
export const PASSING_THRESHOLD = 0.05

/**
 * 1 where sigmoid(objectness) >= threshold, else 0.
 *
 * @param rows [cells * anchors, 5 + classes]
 * @returns [cells, anchors]
 * @throws Error for a threshold outside 0 .. 1
 */
export function passingMask(rows: tf.Tensor2D, anchors: number, threshold: number): tf.Tensor2D {
  const least = parseDocument(threshold, thresholdSchema, 'threshold of the objectness')
  const passing = tf.greaterEqual(tf.sigmoid(objectnessLogits(rows)), least)
  return tf.reshape(tf.cast(passing, 'float32'), [-1, anchors])
}
