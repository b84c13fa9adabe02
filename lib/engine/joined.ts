/**
 * Several tensors as one vector, and back. For a group of a compiled function's state neither costs anything: the group is a
 * vector in the graph's session.
 */
import { type Tensor, tf } from './native'

/** Their elements one behind the other. */
export function joined(tensors: readonly Tensor[]): tf.Tensor1D {
  return tf.concat1d(
    tensors.map((tensor) => (tensor.rank === 1 ? tensor : tf.reshape(tensor, [-1])) as tf.Tensor1D),
  )
}

/** Cuts a vector into tensors of the shapes of these. */
export function slicesLike(tensors: readonly Tensor[], vector: Tensor): Tensor[] {
  const pieces = tf.split(
    vector,
    tensors.map(({ size }) => size),
  )
  return pieces.map((piece, i) => {
    const { rank, shape } = tensors[i]!
    return rank === 1 ? piece : tf.reshape(piece, shape)
  })
}

/** Gives variables the elements of a vector, one behind the other. */
export function assignJoined(variables: readonly tf.Variable[], vector: Tensor): void {
  slicesLike(variables, vector).forEach((value, i) => {
    variables[i]!.assign(value)
  })
}
