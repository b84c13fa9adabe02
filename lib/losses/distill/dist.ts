import { z } from 'zod'
import { tf } from '../../engine'
import { defineMethod, softmaxOptions } from './method'
import { anchorRows, classLogits, outputPairs, sumOf } from './pairs'
import { cosineDistance } from './similarity'

/**
 * Method 8, relations instead of values (DIST: Huang et al. 2022, "Knowledge Distillation from A Stronger Teacher",
 * equations 8 to 11). In every scale the class probabilities sigmoid(logit / T) form a table with a row for each slot (N * H
 * * W * anchors) and a column for each class. With r the Pearson correlation of two vectors,
 *
 *     inter    1 - mean over slots of r(student's row, teacher's row): how the classes of a slot relate
 *     intra    1 - mean over classes of r(student's column, teacher's column): how the slots relate in a class
 *
 * weighted with `beta` and `gamma`, times T^2 if `scaleByTemperatureSquared`, and summed over scales. So the student may be
 * less confident overall than its teacher, as long as it orders classes and slots alike. The paper uses a classifier's
 * softmax probabilities, one row per image; here they are the detector's own. Objectness and boxes are left out. A row or
 * column without variation correlates with nothing (see `cosineDistance`); hence with one class `inter` has no gradient.
 *
 * Terms: `inter` and `intra`.
 */
export const dist = defineMethod({
  number: 8,
  name: 'dist',
  published: { weight: 1, temperature: 1, scaleByTemperatureSquared: true, beta: 1, gamma: 1 },
  options: {
    ...softmaxOptions,
    /** Weight of `inter`. */
    beta: z.number().min(0),
    /** Weight of `intra`. */
    gamma: z.number().min(0),
  },
  needs: ['outputs'],
  loss: (student, teacher, config, { temperature, scaleByTemperatureSquared, beta, gamma }) => {
    const { classes } = config
    const factor = scaleByTemperatureSquared ? temperature ** 2 : 1
    const probabilities = (logits: tf.Tensor4D) =>
      tf.sigmoid(tf.div(classLogits(anchorRows(logits, 5 + classes), classes), temperature)) as tf.Tensor2D
    const tables = outputPairs(student, teacher, config).map((pair) => ({
      s: probabilities(pair.student), // [slots, classes]
      t: probabilities(pair.teacher),
    }))
    const sum = (weight: number, distances: readonly tf.Tensor[]) =>
      tf.mul<tf.Scalar>(tf.addN(distances.map((distance) => tf.mean(distance))), weight * factor)
    return sumOf([
      [
        'inter',
        sum(
          beta,
          tables.map(({ s, t }) => correlationDistance(s, t)),
        ),
      ],
      [
        'intra',
        sum(
          gamma,
          tables.map(({ s, t }) => correlationDistance(tf.transpose(s), tf.transpose(t))),
        ),
      ],
    ])
  },
})

/** 1 - Pearson correlation of the rows [rows, columns]: the cosine distance of the rows minus their means. */
function correlationDistance(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor {
  const centred = (x: tf.Tensor2D) => tf.sub(x, tf.mean(x, 1, true))
  return cosineDistance(centred(a), centred(b))
}
