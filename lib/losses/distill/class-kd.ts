import { tf } from '../../engine'
import { klDivergence } from './divergence'
import { defineMethod, softmaxOptions } from './method'
import { anchorRows, classLogits, outputPairs, sumOf } from './pairs'

/**
 * Method 2, the classes: per anchor, softmax over its class channels,
 *
 *     sum over scales and anchors of mean over N * H * W * classes of KL
 *
 * Terms: one per scale.
 */
export const classKd = defineMethod({
  number: 2,
  name: 'class-kd',
  published: { weight: 1, temperature: 1, scaleByTemperatureSquared: false },
  options: softmaxOptions,
  needs: ['outputs'],
  loss: (student, teacher, config, { temperature, scaleByTemperatureSquared }) => {
    const { classes } = config
    return sumOf(
      outputPairs(student, teacher, config).map((pair) => {
        const logits = (x: tf.Tensor4D) => classLogits(anchorRows(x, 5 + classes), classes)
        const sum = klDivergence(logits(pair.student), logits(pair.teacher), {
          temperature,
          scaleByTemperatureSquared,
        })
        const [n, h, w] = pair.student.shape
        return [pair.name, tf.mul<tf.Scalar>(sum, 1 / (n * h * w * classes))]
      }),
    )
  },
})
