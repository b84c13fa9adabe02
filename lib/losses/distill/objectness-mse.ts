import { z } from 'zod'
import { tf } from '../../engine'
import { defineMethod } from './method'
import { anchorRows, outputPairs, sumOf } from './pairs'

const variantSchema = z.enum(['mse', 'paper', 'paddle'])
type ObjectnessVariant = z.infer<typeof variantSchema>

/**
 * Method 4, everything where the teacher sees an object: with o = sigmoid(teacher objectness), summed over scales and
 * over the groups box (4 channels), objectness (1) and class, the mean over the group's elements (N * H * W * anchors *
 * channels; not divided by the sum of the weights) of
 *
 * | variant  | box                                              | objectness               | class                  |
 * |----------|--------------------------------------------------|--------------------------|------------------------|
 * | `mse`    | o * (s - t)^2                                    | o * (s - t)^2            | o * (s - t)^2          |
 * | `paper`  | o * (s - t)^2                                    | (s - t)^2                | o * (s - t)^2          |
 * | `paddle` | o * BCE(s, sigmoid(t)) for xy, o * abs(s - t) for wh | BCE(s, 1 if t > 0 else 0) | o * BCE(s, sigmoid(t)) |
 *
 * on raw logits s and t. `paper` follows Mehta & Ozturk, "Object detection at 200 frames per second" (2018), where
 * objectness itself is not scaled. `paddle` follows PaddleDetection's DistillYOLOv3Loss, which however sums the four box
 * channels before the mean, so its box term is four times this one.
 *
 * Terms: `box`, `objectness`, `class`.
 */
export const objectnessMse = defineMethod({
  number: 4,
  name: 'objectness-mse',
  published: { weight: 10, variant: 'mse' },
  options: { variant: variantSchema },
  needs: ['outputs'],
  loss: (student, teacher, config, { variant }) => {
    const { classes } = config
    const pairs = outputPairs(student, teacher, config)
    const sizes = [2, 2, 1, classes]
    const rowsOf = (role: 'student' | 'teacher') =>
      tf.concat(
        pairs.map((pair) => anchorRows(pair[role], 5 + classes)),
        0,
      )
    const s = tf.split(rowsOf('student'), sizes, 1)
    const t = tf.split(rowsOf('teacher'), sizes, 1)
    // Every row's fraction of the mean over its scale, [rows, 1].
    const share = tf.concat(
      pairs.map((pair) => {
        const rows = pair.student.size / (5 + classes)
        return tf.fill([rows, 1], 1 / rows)
      }),
      0,
    )
    const scaled = tf.mul(tf.sigmoid(t[2]!), share)
    const mean = (elements: tf.Tensor, weights: tf.Tensor, channels: number) =>
      tf.div<tf.Scalar>(weightedSum(elements, weights), channels)

    const [xy, wh, objectness, category] = elementsOf(variant)
    return sumOf([
      ['box', tf.add<tf.Scalar>(mean(xy(s[0]!, t[0]!), scaled, 4), mean(wh(s[1]!, t[1]!), scaled, 4))],
      ['objectness', mean(objectness(s[2]!, t[2]!), variant === 'mse' ? scaled : share, 1)],
      ['class', mean(category(s[3]!, t[3]!), scaled, classes)],
    ])
  },
})

/**
 * sum of weight * element, with no gradient into the weights. With weight 0 an element that overflows to infinity
 * counts nothing, where a product would be NaN.
 *
 * @param elements [rows, channels]
 * @param weights [rows, 1]
 */
function weightedSum(elements: tf.Tensor, weights: tf.Tensor): tf.Tensor {
  const operation = tf.customGrad((input, save) => {
    const values = input as tf.Tensor
    const channels = values.shape[1]!
    ;(save as (tensors: tf.Tensor[]) => void)([weights])
    const weighted = tf.mul(tf.where(tf.greater(weights, 0), values, 0), weights)
    return {
      value: tf.sum(weighted),
      gradFunc: (dy: tf.Tensor, [by]: tf.Tensor[]) => tf.mul(tf.tile(by!, [1, channels]), dy),
    }
  })
  return operation(elements)
}

type Elementwise = (s: tf.Tensor, t: tf.Tensor) => tf.Tensor

/** The elementwise losses of xy, wh, objectness and class. */
function elementsOf(variant: ObjectnessVariant): [Elementwise, Elementwise, Elementwise, Elementwise] {
  const squared: Elementwise = (s, t) => tf.square(difference(s, t))
  switch (variant) {
    case 'mse':
    case 'paper':
      return [squared, squared, squared, squared]
    case 'paddle': {
      const soft: Elementwise = (s, t) => crossEntropy(s, tf.sigmoid(t))
      const hard: Elementwise = (s, t) => crossEntropy(s, tf.step(t))
      return [soft, distance, hard, soft]
    }
  }
}

/** BCE from logits: softplus(s) - s * target. */
function crossEntropy(s: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return tf.sub(tf.softplus(s), tf.mul(s, target))
}

/** Twice this is finite in float32, and so is the gradient of its square. */
const LARGEST_DIFFERENCE = 1e38

/** s - t, finite for all finite logits. */
function difference(s: tf.Tensor, t: tf.Tensor): tf.Tensor {
  return tf.clipByValue(tf.sub(s, t), -LARGEST_DIFFERENCE, LARGEST_DIFFERENCE)
}

/** |s - t|, with gradient 0 where they agree (tfjs's abs gives -1 there). */
function distance(s: tf.Tensor, t: tf.Tensor): tf.Tensor {
  const gap = difference(s, t)
  return tf.mul(gap, tf.sign(gap))
}
