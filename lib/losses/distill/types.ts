import type { HeadConfig } from '../../detector'
import type { tf } from '../../engine'

/** The part of a detector's configuration that the methods need. */
export interface DistillationConfig extends Pick<HeadConfig, 'classes' | 'anchors' | 'strides'> {
  /** Names of the features that are compared, for the terms. Default: `stride32` and so on. */
  readonly featureNames?: readonly string[]
}

/** A method's own trained variables, by name; the exported student does not contain them. */
export type Variables = ReadonlyMap<string, tf.Tensor>
