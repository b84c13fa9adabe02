import { tf } from '../../engine'
import { createAdapters, featurePairs } from './adapters'
import { defineMethod } from './method'
import { sumOf } from './pairs'

/**
 * Method 5, hints (Romero et al. 2015, equation 3): the neck maps before the heads,
 *
 *     sum over scales of mean over N * H * W * width of (adapter(s) - t)^2
 *
 * If the widths differ, the student's map passes through a linear 1x1 convolution, the adapter, which is trained too but
 * is not part of the student.
 *
 * Terms: one per scale.
 */
export const featureMse = defineMethod({
  number: 5,
  name: 'feature-mse',
  published: { weight: 2 },
  options: {},
  needs: ['features'],
  variables: createAdapters,
  loss: (student, teacher, config, _options, variables) =>
    sumOf(
      featurePairs(student, teacher, config, variables).map((pair) => [
        pair.name,
        tf.mean(tf.squaredDifference(pair.student, pair.teacher)) as tf.Scalar,
      ]),
    ),
})
