import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { appendLines } from '../base'
import type { Dataset, Sample, SplitName } from '../data'
import { complexity, Detector, darknet21, type NetworkSpec, type Weights } from '../detector'
import { evaluateDetections } from '../evaluate'
import {
  gammaHistogram,
  leastBlocks,
  planByLatency,
  planPruning,
  prunableGammas,
  prune,
  withoutBlocks,
  writeStructure,
} from '../slimming'
import {
  type Checkpoint,
  type CurveRule,
  predict,
  removeBest,
  removeLabels,
  saveCheckpoint,
  type TrainProgress,
  type TrainSummary,
  train,
} from '../train'
import { type TrialConfig, teachersOf, trialHash } from './config'
import { type SeenImages, trainingMacs } from './cost'
import { writeDetections } from './detections'
import { distill } from './distill'
import { applyLabels, type LabelledSamples, type Labels } from './labels'
import { forgetPeak, peakBytes } from './memory'
import { type Metrics, metricsSchema } from './metrics'
import { loadModel } from './models'
import { provenance } from './provenance'
import { FILES, readConfig, readTrial, type TrialResult, writeConfig, writeMetrics } from './results'
import { trainOptions } from './train-options'

/** Where a trial stands. */
export type TrialProgress =
  | { readonly phase: 'training'; readonly progress: TrainProgress }
  | {
      readonly phase: 'evaluating'
      readonly done: number
      readonly total: number
    }

/** Where a trial writes and reads; nothing here changes its result. */
export interface TrialContext {
  /** The trial's own folder; its parent contains the trials that this one starts from. */
  readonly folder: string
  readonly runs: string
  readonly dataset: Dataset
  /** Folder in which trials on the same images find those that others have decoded; default: none. */
  readonly frames?: string
  readonly checkpointEvery: number
  readonly logEvery: number
  /** Evaluations along the way, for a curve; they change no weight. */
  readonly curve?: CurveRule
  readonly signal?: AbortSignal
  /** Called while the trial trains and evaluates. */
  readonly onProgress?: (progress: TrialProgress) => void
}

type Trained = {
  readonly detector: Detector
  readonly training?: Metrics['training']
  readonly gradients?: Metrics['gradients']
  readonly pruning?: Metrics['pruning']
}

/**
 * Runs or continues a trial to its end and writes its folder: config, log, checkpoint, model, detections and, last,
 * metrics. A finished trial is read.
 *
 * @throws Error when the folder belongs to another trial or is damaged, or the data set differs
 */
export async function runTrial(config: TrialConfig, context: TrialContext): Promise<TrialResult> {
  const { folder, dataset, signal, onProgress } = context
  const hash = trialHash(config)
  const before = readConfig(folder)
  if (before && trialHash(before) !== hash) {
    throw new Error(
      `${folder}: expected trial ${hash}, found ${trialHash(before)} (${before.kind}); take a folder of its own`,
    )
  }
  const finished = readTrial(folder)
  if (finished) return finished
  if (dataset.hash !== config.data.hash) {
    throw new Error(`${folder}: expected data with hash ${config.data.hash}, found ${dataset.hash}`)
  }
  mkdirSync(folder, { recursive: true })
  writeConfig(folder, config)

  forgetPeak() // the process may have run other trials before
  const { detector, ...extra } = await produce(config, context)
  const split = config.kind === 'evaluate' ? config.split : 'validation'
  const samples = splitOf(dataset, split)
  const precision =
    config.kind === 'evaluate'
      ? config.precision
      : 'training' in config
        ? config.training.recipe.precision
        : 'float32'
  const { truths, detections, secondsPerImage } = await predict(detector, samples, {
    batch: config.kind === 'evaluate' ? config.batch : undefined,
    crop: config.data.crop,
    precision,
    frames: context.frames,
    signal,
    onProgress: (done, total) => onProgress?.({ phase: 'evaluating', done, total }),
  })
  writeDetections(folder, { truths, detections, ids: samples.map((sample) => sample.id) })
  const weights = saveCheckpoint(join(folder, FILES.model), {
    network: detector.network,
    classes: dataset.classes,
    step: extra.training?.kept?.step ?? extra.training?.steps ?? 0,
    weights: detector.weights(),
    optimizer: new Map(),
    provenance: originOf(config, context),
  })
  const metrics = metricsSchema.parse({
    format: 'trial-metrics/1',
    hash,
    kind: config.kind,
    evaluation: {
      split,
      ...evaluateDetections(truths, detections, { classes: dataset.classes }),
      secondsPerImage,
    },
    complexity: complexity(detector.network),
    ...extra,
    weights: weights.sha256,
    provenance: { ...provenance(), data: dataset.hash },
  })
  detector.dispose()
  writeMetrics(folder, metrics)
  // The training's checkpoint and best weights are no longer needed; the model stays.
  removeBest(folder)
  removeLabels(folder)
  for (const name of readdirSync(folder)) if (name.startsWith('checkpoint.')) rmSync(join(folder, name))
  const result = readTrial(folder)
  if (!result) throw new Error(`${folder}: the trial wrote no metrics`)
  return result
}

function splitOf(dataset: Dataset, name: SplitName): readonly Sample[] {
  const samples = dataset.splits[name]
  if (!samples?.length)
    throw new Error(`data set ${dataset.name}: expected images in split "${name}", found none`)
  return samples
}

async function produce(config: TrialConfig, context: TrialContext): Promise<Trained> {
  if (config.kind === 'teacher') {
    const detector = newTeacher(config, context)
    const { labelled } = trainingSamples(config.training, context)
    const options = trainOptions(config.training, labelled.length, context, config)
    const summary = await train(detector, labelled, options, trainContext(context, config))
    return { detector, training: summarise(summary, detector.network) }
  }
  const start = loadModel(config.start, context.runs)
  if (config.kind === 'prune') return pruneModel(start, config, context)
  const detector =
    'fresh' in config && config.fresh
      ? Detector.create(start.network, config.training.seed)
      : new Detector(start.network, start.weights)
  if (config.kind === 'evaluate') return { detector }
  const { labelled: samples, rest } = trainingSamples(config.training, context)
  const options = trainOptions(config.training, samples.length, context, config)
  if (config.kind === 'sparse') {
    const gammas = prunableGammas(start.network, config.prunable)
    const onCheckpoint = (step: number, weights: Weights) =>
      recordGammas(context.folder, step, weights, gammas)
    if (!existsSync(join(context.folder, FILES.gammas))) onCheckpoint(0, start.weights)
    const sparsity = { strength: config.strength, gammas }
    const following = { ...trainContext(context, config), onCheckpoint }
    const summary = await train(detector, samples, { ...options, sparsity }, following)
    return { detector, training: summarise(summary, detector.network) }
  }
  if (config.kind !== 'distill') {
    const summary = await train(detector, samples, options, trainContext(context, config))
    return { detector, training: summarise(summary, detector.network) }
  }
  const teachers = teachersOf(config).map((ref) => {
    const model = loadModel(ref, context.runs)
    return new Detector(model.network, model.weights)
  })
  const { unlabelled } = config
  const frames = unlabelled && (unlabelled.source === 'train' ? rest : splitOf(context.dataset, 'unlabelled'))
  try {
    const inputs = {
      student: detector,
      teachers,
      samples,
      frames,
      options,
      context: trainContext(context, config),
    }
    const { summary, gradients, seen, teacherMacs } = await distill(config, inputs)
    return { detector, gradients, training: summarise(summary, detector.network, seen, teacherMacs) }
  } finally {
    for (const teacher of teachers) teacher.dispose()
  }
}

function newTeacher(
  { detector, start, training }: Extract<TrialConfig, { kind: 'teacher' }>,
  { runs }: TrialContext,
): Detector {
  if (detector) return Detector.create(darknet21(detector.backbone, detector), training.seed)
  if (!start) throw new Error('trial: expected detector or start, found neither') // the schema refuses it
  const model = loadModel(start, runs)
  return new Detector(model.network, model.weights)
}

function trainingSamples({ labels }: { labels?: Labels }, { dataset }: TrialContext): LabelledSamples {
  return applyLabels(splitOf(dataset, 'train'), dataset.classes.length, labels ?? {})
}

/** Bins of the recorded histograms: trained scales start at 1. */
const GAMMA_BINS = { bins: 60, max: 2 }

function recordGammas(folder: string, step: number, weights: Weights, gammas: ReadonlySet<string>): void {
  const { edges, counts, quantiles } = gammaHistogram(weights, gammas, GAMMA_BINS)
  appendLines(join(folder, FILES.gammas), `${JSON.stringify({ step, edges, counts, quantiles })}\n`)
}

/** The origin of a trial's numbers, for the checkpoints that it writes. */
function originOf(config: TrialConfig, { dataset }: TrialContext) {
  const { commit, node, tensorflow, device } = provenance()
  return { trial: trialHash(config), config, data: dataset.hash, commit, node, tensorflow, device }
}

function trainContext(context: TrialContext, config: TrialConfig) {
  const { folder, dataset, frames, signal, onProgress } = context
  return {
    directory: folder,
    classes: dataset.classes,
    validationSamples: dataset.splits.validation,
    frames,
    provenance: originOf(config, context),
    signal,
    onProgress: (progress: TrainProgress) => onProgress?.({ phase: 'training', progress }),
  }
}

function summarise(
  { steps, images, distilled, seconds, waitedShare, last, kept, plateau }: TrainSummary,
  student: NetworkSpec,
  seen: SeenImages = { images, distilled },
  teacherMacs = 0,
): Metrics['training'] {
  const macs = trainingMacs(seen, { student: complexity(student).macs, teacher: teacherMacs })
  return {
    ...{ steps, images, seconds, waitedShare, last: { ...last }, macs, peakBytes: peakBytes() },
    ...{ kept, plateau },
  }
}

function pruneModel(
  start: Pick<Checkpoint, 'network' | 'weights'>,
  config: Extract<TrialConfig, { kind: 'prune' }>,
  context: TrialContext,
): Trained {
  const { macs, parameters, milliseconds, blocks, prunable = 'backbone', ...bounds } = config.prune
  const removed = blocks === undefined ? [] : leastBlocks(start.network, start.weights, blocks)
  const { network, weights } = withoutBlocks(start.network, start.weights, removed)
  const rules = { ...bounds, prunable }
  const whole = complexity(start.network)
  const plan =
    milliseconds !== undefined
      ? planByLatency(network, weights, milliseconds, rules, { signal: context.signal }).plan
      : planPruning(network, weights, {
          ...rules,
          budget:
            macs !== undefined
              ? { of: 'macs' as const, atMost: (whole.macs * (100 * macs)) / 100 }
              : { of: 'parameters' as const, atMost: whole.parameters * parameters! },
        })
  const provenance = { ...originOf(config, context), ...(removed.length > 0 && { removedBlocks: removed }) }
  writeStructure(join(context.folder, FILES.structure), { network, plan, provenance })
  const pruned = prune(network, weights, plan)
  const { quantiles } = gammaHistogram(weights, prunableGammas(network, prunable))
  return {
    detector: new Detector(pruned.network, pruned.weights),
    pruning: {
      threshold: plan.threshold,
      keptMacs: complexity(pruned.network).macs / whole.macs,
      gammaQuantiles: [...quantiles],
    },
  }
}
