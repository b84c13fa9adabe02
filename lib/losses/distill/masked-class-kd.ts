import type { DetectorOutput } from '../../detector/types'
import { tf } from '../../engine'
import type { LossResult } from '../types'
import { klDivergence } from './divergence'
import { anchorRows, classLogits, objectnessLogits, outputPairs, sumOf } from './pairs'
import { PUBLISHED } from './published'
import type { DistillationConfig, DistillationOptions } from './types'

/**
 * Method 3, the classes where the teacher sees an object: mask = sigmoid(teacher objectness) >= threshold,
 *
 *     sum over scales and anchors of (sum over N, H, W, classes of mask * KL) / (number of cells with mask 1)
 *
 * with KL as in `classKd`. The cells are counted for each (scale, anchor) over the batch; where none passes, the term
 * and its gradient are 0 (the published code divides 0 by 0). When all pass it is `classes` times `classKd`.
 *
 * Options: `threshold`, `temperature`, `scaleByTemperatureSquared`. Terms: one a scale.
 */
export function maskedClassKd(
  student: DetectorOutput,
  teacher: DetectorOutput,
  config: DistillationConfig,
  options: DistillationOptions = {},
): LossResult {
  const published = PUBLISHED['masked-class-kd']
  const {
    temperature = published.temperature,
    scaleByTemperatureSquared = published.scaleByTemperatureSquared,
    threshold = published.threshold,
  } = options
  const { classes, anchors } = config
  return sumOf(
    outputPairs(student, teacher, config).map((pair, s) => {
      const studentRows = anchorRows(pair.student, 5 + classes)
      const teacherRows = anchorRows(pair.teacher, 5 + classes)
      const mask = passingMask(teacherRows, anchors[s]!.length, threshold) // [cells, anchors]
      const count = tf.sum(mask, 0) // [anchors]
      const weights: tf.Tensor2D = tf.reshape(tf.div(mask, tf.maximum(count, 1)), [-1, 1])
      const divergence = { temperature, scaleByTemperatureSquared, weights }
      return [
        pair.name,
        klDivergence(classLogits(studentRows, classes), classLogits(teacherRows, classes), divergence),
      ]
    }),
  )
}

/**
 * 1 where sigmoid(objectness) >= threshold, else 0.
 *
 * @param rows [cells * anchors, 5 + classes]
 * @returns [cells, anchors]
 * @throws RangeError for a threshold that is NaN, which no cell could pass
 */
export function passingMask(rows: tf.Tensor2D, anchors: number, threshold: number): tf.Tensor2D {
  if (Number.isNaN(threshold)) throw new RangeError('expected a threshold of 0 to 1, found NaN')
  const passing = tf.greaterEqual(tf.sigmoid(objectnessLogits(rows)), threshold)
  return tf.reshape(tf.cast(passing, 'float32'), [-1, anchors])
}
