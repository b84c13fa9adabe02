import { tf } from '../../engine'
import { klDivergence } from './divergence'
import { defineMethod, softmaxOptions } from './method'
import { outputPairs, sumOf } from './pairs'

/**
 * Method 1, the whole output as one distribution: softmax over ALL channels of a cell, box and objectness included,
 *
 *     sum over scales of mean over N * H * W * anchors * (5 + classes) of KL
 *
 * Terms: one per scale.
 */
export const outputKd = defineMethod({
  number: 1,
  name: 'output-kd',
  published: { weight: 10, temperature: 1, scaleByTemperatureSquared: false },
  options: softmaxOptions,
  needs: ['outputs'],
  loss: (student, teacher, config, { temperature, scaleByTemperatureSquared }) =>
    sumOf(
      outputPairs(student, teacher, config).map((pair) => {
        const channels = pair.student.shape[3]
        const cells = (logits: tf.Tensor4D): tf.Tensor2D => tf.reshape(logits, [-1, channels])
        const sum = klDivergence(cells(pair.student), cells(pair.teacher), {
          temperature,
          scaleByTemperatureSquared,
        })
        return [pair.name, tf.mul<tf.Scalar>(sum, 1 / pair.student.size)]
      }),
    ),
})
