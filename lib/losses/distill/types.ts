import type { HeadConfig } from '../../detector'
import type { tf } from '../../engine'

/** The part of a detector's configuration that the methods need. */
export type DistillationConfig = Pick<HeadConfig, 'classes' | 'anchors' | 'strides'>

/** A method's own trained variables, by name; the exported student does not contain them. */
export type Variables = ReadonlyMap<string, tf.Tensor>
