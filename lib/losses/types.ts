import type { tf } from '../engine'

/** A loss as a scalar to differentiate and its named parts to log; every part is already weighted. */
export interface LossResult {
  readonly total: tf.Scalar
  readonly terms: { readonly [name: string]: tf.Scalar }
}
