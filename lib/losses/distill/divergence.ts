import { softmaxDivergence, tf } from '../../engine'

export interface DivergenceOptions {
  readonly temperature: number
  readonly scaleByTemperatureSquared: boolean
  /** One weight a row, [rows, 1]; without it every row weighs 1. */
  readonly weights?: tf.Tensor2D
}

/**
 * Sum over rows and channels of weight * KL, where elementwise
 *
 *     KL = softmax(t / T) * (log softmax(t / T) - log softmax(s / T))
 *
 * with softmax over a row (Hinton, Vinyals & Dean 2015). 0 * log 0 is 0; logits of any size are safe, since the
 * logarithm is never taken of a rounded probability. The gradient with regard to s is weight * (softmax(s / T) -
 * softmax(t / T)) / T; t is constant. One operation forward and backward: composed of tfjs's own it takes twice as long.
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
    // Whatever the gradient needs must be saved, or tfjs frees it with the scope in which it was made.
    ;(save as (tensors: tf.Tensor[]) => void)([differences])
    return {
      value: tf.mul(divergence, factor),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(saved!, tf.mul(dy, factor / temperature)),
    }
  })
  return operation(student) as tf.Scalar
}
