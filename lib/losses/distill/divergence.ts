import { softmaxDivergence, tf } from '../../engine'

export interface DivergenceOptions {
  readonly temperature: number
  readonly scaleByTemperatureSquared: boolean
  /** One weight per row, [rows, 1]; default 1. */
  readonly weights?: tf.Tensor2D
}

/**
 * Sum over rows and channels of weight * KL, where elementwise
 *
 *     KL = softmax(t / T) * (log softmax(t / T) - log softmax(s / T))
 *
 * with softmax over a row (Hinton, Vinyals & Dean 2015). 0 * log 0 is 0; logits of any size are safe, since the
 * logarithm of a rounded probability is never taken. The gradient with respect to s is weight * (softmax(s / T) -
 * softmax(t / T)) / T; t is constant. One operation each way: composed of tfjs's own it takes twice as long.
 *
 * @param student s, [rows, channels]
 * @param teacher t, [rows, channels]
 */
export function klDivergence(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  { temperature, scaleByTemperatureSquared, weights }: DivergenceOptions,
): tf.Scalar {
  if (!(temperature > 0)) throw new RangeError(`expected a temperature above 0, found ${temperature}`)
  const factor = scaleByTemperatureSquared ? temperature ** 2 : 1
  const operation = tf.customGrad((input, save) => {
    const { divergence, differences } = softmaxDivergence(input as tf.Tensor2D, teacher, temperature, weights)
    // Save what the gradient needs, or tfjs frees it with the scope that made it.
    ;(save as (tensors: tf.Tensor[]) => void)([differences])
    return {
      value: tf.mul(divergence, factor),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(saved!, tf.mul(dy, factor / temperature)),
    }
  })
  return operation(student) as tf.Scalar
}
