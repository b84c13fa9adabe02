import { tf } from '../../engine'

/** Keeps the length of a zero vector, and its gradient, finite. */
const SMALLEST_SQUARE = 1e-8

/**
 * 1 - cosine of the angle between vectors along the last axis, computed as half the squared distance of the normalised
 * vectors, which is equal and loses no digits when they are close:
 *
 *     1 - a b / (|a| |b|) = |a / |a| - b / |b||^2 / 2,    |x| = sqrt(sum of x^2 + 1e-8)
 *
 * So a zero vector is at 1/2 from every other, and at 0 from another zero vector.
 *
 * @param a [..., channels]
 * @param b [..., channels]
 * @returns [...]
 */
export function cosineDistance(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const unit = (x: tf.Tensor) => {
    const square = tf.sum(tf.square(x), -1, true)
    return tf.mul(x, tf.rsqrt(tf.add(square, SMALLEST_SQUARE)))
  }
  return tf.mul(tf.sum(tf.squaredDifference(unit(a), unit(b)), -1), 0.5)
}
