import { parseDocument } from '../base'
import type { Detector, DetectorOutput } from '../detector'
import { compile, type GraphSize, joined, type Precision, type Tensor, tf, unitPixels } from '../engine'
import {
  lookUpTargets,
  lossSchema,
  type TargetInputs,
  type Targets,
  targetInputs,
  type YoloLossOptions,
  yoloLoss,
} from '../losses'
import type { LossResult } from '../losses/types'
import { updateAverage } from './average'
import { type SgdOptions, type Slot, sgdSchema, sgdStep, slotGroups } from './optimizer'

/** A loss in addition to the ground truth's, such as a distillation loss. */
export interface ExtraLoss {
  /** Number of weights that it takes at every step. */
  readonly weights: number
  /** Its own trained variables (adapters), by name. */
  readonly variables: ReadonlyMap<string, tf.Variable>
  /**
   * The loss of a batch.
   *
   * @param images [n, h, w, 3] of the step in 0..1, in the plain view if the student saw a stronger one
   * @param weights [weights], fed at every step, so that schedules do not need new graphs
   */
  readonly loss: (student: DetectorOutput, images: tf.Tensor4D, weights: tf.Tensor1D) => LossResult
}

/** What a training step is made of. */
export interface StepOptions {
  readonly loss: YoloLossOptions
  /** Whether truths have weights, as pseudo-labels do. */
  readonly weighted?: boolean
  readonly sgd: SgdOptions
  /** Network Slimming's s: sign(gamma) * s is added to the gradient of these gammas. */
  readonly sparsity?: { readonly strength: number; readonly gammas: ReadonlySet<string> }
  readonly extra?: ExtraLoss
  /** A detector of the same architecture; its weights become the moving average, see `updateAverage`. */
  readonly averaged?: Detector
  readonly precision: Precision
  /** Runs operation by operation instead of as a graph, for debugging. */
  readonly eager: boolean
}

/** The scalars a step measures: `total`, `gradientNorm` and the losses' terms. */
export type Measurements = { readonly [name: string]: number }

/** What one training step takes. */
export interface StepInputs {
  /** [n, h, w, 3] as bytes (`pixelTensor`), which the graph scales first, or as float32 in 0..1. */
  readonly images: tf.Tensor4D
  /** The same images in the plain view, for the extra loss. */
  readonly plain?: tf.Tensor4D
  /** Of `assignTargets`; the graph looks up every slot's own. */
  readonly targets: Targets
  readonly rate: number
  /** Weights of the extra loss; if empty the step runs without it, as a graph of its own, and leaves its variables alone. */
  readonly weights: readonly number[]
  /** Fraction of the average to keep; needed if there is one. */
  readonly decay?: number
}

/** One step of gradient descent, recorded as a graph. */
export interface TrainingStep {
  /** Takes the step, and measures the losses before it. */
  run(inputs: StepInputs): Measurements
  /** Brings the variables up to date with the compiled graph's state. */
  sync(): void
  /** Frees the graphs. */
  dispose(): void
  /** Its graphs so far: with and without the extra loss, and by the shapes of images. */
  readonly graphs: readonly GraphSize[]
}

/**
 * A training step as one graph: forward pass, losses, backward pass, sparsity, clipping, weight decay, momentum and
 * the running statistics. If the extra loss comes and goes, there are two graphs, and the state moves between them.
 * Weights, momenta, statistics and averages are slices of a few vectors, and what happens to them happens to whole vectors.
 *
 * float16 gradients underflow below 6e-8, so the loss is scaled by 1024 for the backward pass and the gradients are
 * scaled back (Micikevicius et al. 2018, section 3.2).
 */
export function createStep(detector: Detector, slots: readonly Slot[], options: StepOptions): TrainingStep {
  const { averaged, precision, eager } = options
  const groups = trainedGroups(slots, options)
  const state = [...groups.own, ...groups.others].flatMap((group) => [
    group.map(({ variable }) => variable),
    group.map(({ momentum }) => momentum),
  ])
  state.push(detector.groups.statistics, ...Object.values(averaged?.groups ?? {}))
  const step = stepFunction(detector, groups, options)
  const compiled = compile(step, { state, precision, eager, name: 'training step' })

  return {
    run({ images, plain, targets, rate, weights, decay }) {
      if (averaged && decay === undefined)
        throw new Error('training step: expected the decay of the moving average, found none')
      const [factor, lambdas, share] = [tf.scalar(rate), tf.tensor1d([...weights]), tf.scalar(decay ?? 0)]
      const truths = targetInputs(targets)
      const results = compiled(
        images,
        truths,
        factor,
        weights.length > 0 ? [lambdas] : [],
        averaged ? [share] : [],
        plain && weights.length > 0 ? [plain] : [],
      )
      const measured = Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, value.dataSync()[0]!]),
      )
      tf.dispose([results, truths, factor, lambdas, share])
      return measured
    },
    sync: compiled.sync,
    dispose: compiled.dispose,
    get graphs() {
      return compiled.graphs
    },
  }
}

/** The slots of the detector, and those of the extra loss. */
interface Groups {
  readonly own: readonly (readonly Slot[])[]
  readonly others: readonly (readonly Slot[])[]
}

function trainedGroups(slots: readonly Slot[], { extra }: StepOptions): Groups {
  const others = new Set(extra?.variables.values())
  return {
    own: slotGroups(slots.filter(({ variable }) => !others.has(variable))),
    others: slotGroups(slots.filter(({ variable }) => others.has(variable))),
  }
}

/** What a step does, as a function of tensors; those that a step may lack come in lists of none or one. */
function stepFunction(detector: Detector, { own, others }: Groups, options: StepOptions) {
  const { loss, weighted, sparsity, extra, averaged, precision } = options
  const sgd = parseDocument(options.sgd, sgdSchema, 'training step: sgd')
  parseDocument(loss, lossSchema, 'training step: loss') // now, not when the graph is recorded
  const lossScale = precision === 'float16' ? 1024 : 1

  return (
    images: tf.Tensor4D,
    truths: TargetInputs,
    rate: tf.Scalar,
    [weights]: readonly [] | readonly [tf.Tensor1D],
    [decay]: readonly [] | readonly [tf.Scalar],
    [plain]: readonly [] | readonly [tf.Tensor4D],
  ): { [name: string]: Tensor } => {
    const moved = weights ? [...own, ...others] : own
    const pixels = unitPixels(images)
    const targets = lookUpTargets(truths)
    let terms: { [name: string]: Tensor } = {}
    const { value, grads } = tf.variableGrads(
      () => {
        const output = detector.forward(pixels, { training: true })
        const truth = yoloLoss(output.outputs, targets, detector.config, loss, weighted)
        const more = weights && extra?.loss(output, plain ? unitPixels(plain) : pixels, weights)
        const total = more ? (tf.add(truth.total, more.total) as tf.Scalar) : truth.total
        terms = Object.fromEntries(
          Object.entries({ ...truth.terms, ...more?.terms }).map(([name, term]) => [name, tf.keep(term)]),
        )
        return lossScale === 1 ? total : (tf.mul(total, lossScale) as tf.Scalar)
      },
      moved.flat().map(({ variable }) => variable),
    )
    const gradients = moved.map((group) => {
      const scaled = joined(group.map(({ variable }) => grads[variable.name]!))
      const gradient = lossScale === 1 ? scaled : tf.div<tf.Tensor1D>(scaled, lossScale)
      return sparsity ? shrinking(group, gradient, sparsity) : gradient
    })
    const gradientNorm = sgdStep(moved, gradients, rate, sgd)
    if (averaged && decay) {
      for (const name of ['kernels', 'vectors', 'statistics'] as const)
        updateAverage(averaged.groups[name], detector.groups[name], decay)
    }
    return { total: lossScale === 1 ? value : tf.div(value, lossScale), gradientNorm, ...terms }
  }
}

/** Adds sparsity's sign(gamma) * s to the gradient of a group, where it has such gammas. */
function shrinking(
  group: readonly Slot[],
  gradient: tf.Tensor1D,
  { strength, gammas }: NonNullable<StepOptions['sparsity']>,
): tf.Tensor1D {
  if (!group.some(({ name }) => gammas.has(name))) return gradient
  const strengths = group.flatMap(({ name, variable }) =>
    new Array<number>(variable.size).fill(gammas.has(name) ? strength : 0),
  )
  const weights = joined(group.map(({ variable }) => variable))
  return tf.add(gradient, tf.mul(tf.sign(weights), tf.tensor1d(strengths)))
}
