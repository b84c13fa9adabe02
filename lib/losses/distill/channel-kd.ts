import { tf } from '../../engine'
import { createAdapters, featurePairs } from './adapters'
import { klDivergence } from './divergence'
import { defineMethod, softmaxOptions } from './method'
import { sumOf } from './pairs'

/**
 * Method 7, where each channel is active (CWD: Shu et al. 2021, "Channel-wise Knowledge Distillation for Dense Prediction",
 * equations 5 and 6): softmax over the positions of each channel of the neck maps,
 *
 *     sum over scales of mean over N of T^2 / C * sum over channels and positions of KL
 *
 * where C is the teacher's width. T and lambda are the paper's for feature maps; adapters as in `featureMse`.
 *
 * Terms: one per scale.
 */
export const channelKd = defineMethod({
  number: 7,
  name: 'channel-kd',
  published: { weight: 50, temperature: 4, scaleByTemperatureSquared: true },
  options: softmaxOptions,
  needs: ['features'],
  variables: createAdapters,
  loss: (student, teacher, config, { temperature, scaleByTemperatureSquared }, variables) =>
    sumOf(
      featurePairs(student, teacher, config, variables).map((pair) => {
        const [n, h, w, c] = pair.student.shape
        const channels = (map: tf.Tensor4D): tf.Tensor2D =>
          tf.reshape(tf.transpose(map, [0, 3, 1, 2]), [n * c, h * w])
        const sum = klDivergence(channels(pair.student), channels(pair.teacher), {
          temperature,
          scaleByTemperatureSquared,
        })
        return [pair.name, tf.mul<tf.Scalar>(sum, 1 / (n * c))]
      }),
    ),
})
