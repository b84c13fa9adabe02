/** Options, progress and result of a training. */
import type { AugmentOptions, Crop, LoaderOptions, Sample, StrongOptions } from '../data'
import type { Weights } from '../detector'
import type { Precision } from '../engine'
import type { AssignOptions, YoloLossOptions } from '../losses'
import type { AverageOptions } from './average'
import type { SgdOptions } from './optimizer'
import type { Labeller } from './pseudo-labels'
import type { RateSchedule, WarmUp } from './schedule'
import type { CurveRule, Plateau, ValidationRow, ValidationRule } from './stage'
import type { ExtraLoss, Measurements } from './step'

/** Everything that a training's result depends on beside detector and samples. */
export interface TrainOptions {
  /** Largest number of steps; see `stageOf`. */
  readonly steps: number
  readonly batch: number
  readonly seed: number
  readonly augment: AugmentOptions | false
  /** A stronger view of every image for the detector; a distillation loss then sees the plain one, of the same geometry. */
  readonly strong?: StrongOptions
  /** Number of augmented views of an image that the epochs cycle through; by default every epoch has its own. */
  readonly views?: number
  readonly crop?: Crop
  readonly assign: AssignOptions
  readonly loss: YoloLossOptions
  readonly sgd: SgdOptions
  readonly schedule: RateSchedule
  readonly warmUp: WarmUp
  readonly sparsity?: { readonly strength: number; readonly gammas: ReadonlySet<string> }
  /**
   * A distillation loss, with the weights of its methods as functions of the step. A step at which all are 0 runs
   * without it.
   */
  readonly extra?: ExtraLoss & {
    /** The weights at a step, counted from 0. */
    readonly weightsAt: (step: number) => readonly number[]
  }
  /**
   * Unlabelled images added to each step's batch, for `extra` only; steps without it do not see them. With a
   * labeller every step sees them, with its boxes as truths.
   */
  readonly unlabelled?: {
    readonly samples: readonly Sample[]
    readonly batch: number
    readonly labeller?: Labeller
  }
  /** Evaluations during training, which may choose the final weights and end the training before `steps`. */
  readonly validation?: ValidationRule
  /** Evaluations along the way that decide nothing, where `validation` makes none. */
  readonly curve?: CurveRule
  /** A moving average of the weights, which is evaluated and becomes the final weights. */
  readonly average?: AverageOptions
  readonly precision: Precision
  readonly eager: boolean
  /** Threads that prepare batches. */
  readonly workers: number
  readonly checkpointEvery: number
  readonly logEvery: number
}

/**
 * How a training's images are loaded: what its batches, in their order, depend on.
 *
 * @param input [height, width] of the network
 */
export function loaderOptions(
  input: readonly number[],
  { batch, seed, augment, strong, views, crop }: TrainOptions,
): LoaderOptions {
  return {
    input: [...input] as [number, number],
    batch,
    seed,
    augment,
    strong,
    views,
    crop: crop && ([...crop] as [number, number, number, number]),
    shuffle: true,
  }
}

/** Where a training stands. */
export interface TrainProgress {
  readonly step: number
  readonly steps: number
  readonly measurements: Measurements
  readonly imagesPerSecond: number
  /** The last evaluation during training. */
  readonly evaluated?: ValidationRow
  /** Images of the evaluation running after this step. */
  readonly evaluating?: { readonly done: number; readonly total: number }
  /** Images of the labelling running before the next step. */
  readonly labelling?: { readonly done: number; readonly total: number }
}

/** Where a training writes, what it evaluates on, and whom it tells. */
export interface TrainContext {
  /** Folder of checkpoint and log; a checkpoint found here is continued. */
  readonly directory: string
  readonly classes: readonly string[]
  /** Images to evaluate on during training; needed with `validation`. */
  readonly validationSamples?: readonly Sample[]
  /** Folder in which runs on the same images find those that others have decoded; none by default. */
  readonly frames?: string
  readonly signal?: AbortSignal
  /** Called after every step, and while the training evaluates or labels. */
  readonly onProgress?: (progress: TrainProgress) => void
  /** Stored in every checkpoint: the origin of the training. */
  readonly provenance?: { readonly [key: string]: unknown }
  /** Called with the weights just before a checkpoint is written. */
  readonly onCheckpoint?: (step: number, weights: Weights) => void
}

/** What a training did. */
export interface TrainSummary {
  /** Steps done: fewer than requested if the evaluations ended the training. */
  readonly steps: number
  readonly images: number
  /** How many of `images` a distillation loss saw. */
  readonly distilled: number
  /** Seconds spent in steps, over all runs of this directory. */
  readonly seconds: number
  /** Fraction of the time that steps waited for their batches, in this process. */
  readonly waitedShare: number
  readonly last: Measurements
  /** The evaluation of the final weights, if the training evaluates along the way. */
  readonly kept?: ValidationRow
  /** Where it stopped improving, if it ended for that. */
  readonly plateau?: Plateau
}
