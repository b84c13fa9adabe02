import { attribute, execute, type Tensor, tf } from './native'

/**
 * log softmax over the last axis, x - max - log(sum(exp(x - max))), as one native kernel; tfjs composes it of six.
 *
 * @param logits [rows, classes]
 */
export function logSoftmax(logits: tf.Tensor2D): tf.Tensor2D {
  const operation = tf.customGrad((input, save) => {
    const value = execute('LogSoftmax', [attribute.type('T', 'float32')], [input as Tensor])[0]!
    ;(save as (tensors: Tensor[]) => void)([value])
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.sub(dy, tf.mul(tf.exp(saved[0]!), tf.sum(dy, -1, true))) as Tensor,
    }
  })
  return operation(logits) as tf.Tensor2D
}
