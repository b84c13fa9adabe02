import type { DetectorConfig, DetectorOutput } from '../../detector/types'
import type { tf } from '../../engine'
import type { LossResult } from '../types'

/** The part of a detector's configuration that the methods need. */
export type DistillationConfig = Pick<DetectorConfig, 'classes' | 'anchors'>

/** Options of all the methods; each reads those that its own documentation names. */
export interface DistillationOptions {
  /** T in softmax(logits / T). */
  readonly temperature?: number
  /** Multiplies by T^2, so that the gradient keeps its size when T grows (Hinton et al. 2015, section 2.1). */
  readonly scaleByTemperatureSquared?: boolean
  /** Least teacher objectness, as a probability, of a cell that takes part. */
  readonly threshold?: number
  readonly variant?: ObjectnessVariant
  /** 1x1 kernels [1, 1, student width, teacher width], one a feature map; undefined where the widths agree. */
  readonly adapters?: readonly (tf.Tensor4D | undefined)[]
}

export type ObjectnessVariant = 'mse' | 'paper' | 'paddle'

/** One method: the loss before lambda. The teacher is a constant; no gradient flows into it. */
export type DistillationMethod = (
  student: DetectorOutput,
  teacher: DetectorOutput,
  config: DistillationConfig,
  options?: DistillationOptions,
) => LossResult
