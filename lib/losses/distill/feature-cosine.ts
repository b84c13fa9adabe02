import { tf } from '../../engine'
import { createAdapters, featurePairs } from './adapters'
import { defineMethod } from './method'
import { sumOf } from './pairs'
import { cosineDistance } from './similarity'

/**
 * Method 6, the direction of the features: taking a cell's channels in the neck maps as one vector,
 *
 *     sum over scales of mean over N * H * W of 1 - cosine(adapter(s), t)
 *
 * The length of the vectors does not matter. Adapters are as in `featureMse`. This is the workbook's own method: its
 * lambda is featureMse's.
 *
 * Terms: one per scale.
 */
export const featureCosine = defineMethod({
  number: 6,
  name: 'feature-cosine',
  published: { weight: 2 },
  options: {},
  needs: ['features'],
  variables: createAdapters,
  loss: (student, teacher, config, _options, variables) =>
    sumOf(
      featurePairs(student, teacher, config, variables).map((pair) => [
        pair.name,
        tf.mean(cosineDistance(pair.student, pair.teacher)) as tf.Scalar,
      ]),
    ),
})
