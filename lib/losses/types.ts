import type { tf } from '../engine'

/** A loss: a scalar to differentiate, and its named parts, already weighted, to log. */
export interface LossResult {
  readonly total: tf.Scalar
  readonly terms: { readonly [name: string]: tf.Scalar }
}
