/** What a training is asked for, and what it tells. */
import type { AugmentOptions, Crop, Sample, StrongOptions } from '../data'
import type { Weights } from '../detector'
import type { Precision } from '../engine'
import type { AssignOptions, YoloLossOptions } from '../losses'
import type { AverageOptions } from './average'
import type { SgdOptions } from './optimizer'
import type { Labeller } from './pseudo-labels'
import type { RateSchedule, WarmUp } from './schedule'
import type { Plateau, ValidationRow, ValidationRule } from './stage'
import type { ExtraLoss, Measurements } from './step'

export interface TrainOptions {
  /** At most; see `stageOf`. */
  readonly steps: number
  readonly batch: number
  readonly seed: number
  readonly augment: AugmentOptions | false
  /** A stronger look of every image for the detector; a distillation loss then sees the plain one, of the same geometry. */
  readonly strong?: StrongOptions
  /** Augmented views of an image, over which the epochs go round; without it every epoch has its own. */
  readonly views?: number
  readonly crop?: Crop
  readonly assign: AssignOptions
  readonly loss: YoloLossOptions
  readonly sgd: SgdOptions
  readonly schedule: RateSchedule
  readonly warmUp: WarmUp
  readonly sparsity?: { readonly strength: number; readonly gammas: ReadonlySet<string> }
  /**
   * A distillation loss with the weights of its methods as functions of the step. A step at which all are 0 is a training
   * step without it.
   */
  readonly extra?: ExtraLoss & { readonly weightsAt: (step: number) => readonly number[] }
  /**
   * Images without labels that steps see beside their batch, through `extra` alone; steps without it do not see them. With a
   * labeller every step sees them, with its boxes as truths.
   */
  readonly unlabelled?: {
    readonly samples: readonly Sample[]
    readonly batch: number
    readonly labeller?: Labeller
  }
  /** Evaluations while training, which may choose the weights that it leaves and end it before `steps`. */
  readonly validation?: ValidationRule
  /** A moving average of the weights, which is evaluated and left in their place. */
  readonly average?: AverageOptions
  readonly precision: Precision
  readonly eager: boolean
  /** Threads that prepare batches. */
  readonly workers: number
  readonly checkpointEvery: number
  readonly logEvery: number
}

export interface TrainProgress {
  readonly step: number
  readonly steps: number
  readonly measurements: Measurements
  readonly imagesPerSecond: number
  /** The last evaluation while training. */
  readonly evaluated?: ValidationRow
  /** Images of the evaluation that runs after this step. */
  readonly evaluating?: { readonly done: number; readonly total: number }
  /** Images of the labelling that runs before the next step. */
  readonly labelling?: { readonly done: number; readonly total: number }
}

export interface TrainContext {
  /** Where checkpoint and log go; a checkpoint found here is continued. */
  readonly directory: string
  readonly classes: readonly string[]
  /** What is evaluated on while training; needed where `validation` is given. */
  readonly validationSamples?: readonly Sample[]
  /** Folder for decoded frames that do not fit into memory; none by default. */
  readonly frames?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainProgress) => void
  /** Kept in every checkpoint: where the training comes from. */
  readonly provenance?: { readonly [key: string]: unknown }
  /** Called with the weights just before a checkpoint is written. */
  readonly onCheckpoint?: (step: number, weights: Weights) => void
}

export interface TrainSummary {
  /** Steps done: fewer than asked for where the evaluations ended the training. */
  readonly steps: number
  readonly images: number
  /** Of `images`, those that a distillation loss saw. */
  readonly distilled: number
  /** Seconds spent in steps, over all runs of this directory. */
  readonly seconds: number
  /** Share of the time in which a step waited for its batch, in this process. */
  readonly waitedShare: number
  readonly last: Measurements
  /** The evaluation of the weights that the training leaves, where it evaluates on its way. */
  readonly kept?: ValidationRow
  /** Where it stopped to gain and so came to its end. */
  readonly plateau?: Plateau
}
