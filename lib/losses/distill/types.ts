import type { DetectorConfig } from '../../detector/types'
import type { tf } from '../../engine'

/** The part of a detector's configuration that the methods need. */
export type DistillationConfig = Pick<DetectorConfig, 'classes' | 'anchors'>

/** A method's own trained variables, by name; the exported student does not contain them. */
export type Variables = ReadonlyMap<string, tf.Tensor>
