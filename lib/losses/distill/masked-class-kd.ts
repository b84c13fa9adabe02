import { tf } from '../../engine'
import { klDivergence } from './divergence'
import { defineMethod, softmaxOptions } from './method'
import { anchorRows, classLogits, outputPairs, sumOf } from './pairs'
import { PASSING_THRESHOLD, passingMask, thresholdSchema } from './passing'

/**
 * Method 3, the classes where the teacher sees an object: mask = sigmoid(teacher objectness) >= threshold,
 *
 *     sum over scales and anchors of (sum over N, H, W, classes of mask * KL) / (number of cells with mask 1)
 *
 * with KL as in `classKd`. Cells are counted for each (scale, anchor) over the batch; if none passes, the term
 * and its gradient are 0 (the published code divides 0 by 0). If all pass it is `classes` times `classKd`.
 *
 * Terms: one per scale.
 */
export const maskedClassKd = defineMethod({
  number: 3,
  name: 'masked-class-kd',
  published: {
    weight: 1,
    temperature: 1,
    scaleByTemperatureSquared: false,
    threshold: PASSING_THRESHOLD,
  },
  options: {
    ...softmaxOptions,
    /** Least teacher objectness, as a probability, of a cell that counts. */
    threshold: thresholdSchema,
  },
  needs: ['outputs'],
  loss: (student, teacher, config, { temperature, scaleByTemperatureSquared, threshold }) => {
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
  },
})
