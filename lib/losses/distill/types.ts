import type { DetectorConfig } from '../../detector/types'
import type { tf } from '../../engine'

/** The part of a detector's configuration that the methods need. */
export type DistillationConfig = Pick<DetectorConfig, 'classes' | 'anchors'>

/** Trained variables of a method's own, by name; the student that is exported does not carry them. */
export type Variables = ReadonlyMap<string, tf.Tensor>
