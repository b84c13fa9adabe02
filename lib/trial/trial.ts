import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { appendLines } from '../base'
import type { Dataset, Sample, SplitName } from '../data'
import { complexity, Detector, darknet21, type NetworkSpec, type Weights } from '../detector'
import type { Precision } from '../engine'
import { evaluateDetections } from '../evaluate'
import { calibrate, detectorOf, planOf, QuantisedDetector } from '../quantise'
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
import { budgetOf, rulesOf } from './pruning'
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
  const precision = precisionOf(config, detector)
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
    ...(detector instanceof QuantisedDetector && { quantisation: detector.quantisation }),
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

/** Of the numbers in which a model is measured; one that rounds to eight bits does it in float32. */
function precisionOf(config: TrialConfig, detector: Detector): Precision {
  if (detector instanceof QuantisedDetector) return 'float32'
  if (config.kind === 'evaluate') return config.precision
  return 'training' in config ? config.training.recipe.precision : 'float32'
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
  if (config.kind === 'evaluate') return { detector: detectorOf(start) }
  const detector = await newStudent(start, config, context)
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
    if (config.training.steps === 0) return { detector, training: summarise(UNTRAINED, detector.network) }
    const summary = await train(detector, samples, options, trainContext(context, config))
    return { detector, training: summarise(summary, detector.network) }
  }
  const teachers = teachersOf(config).map((ref) => detectorOf(loadModel(ref, context.runs)))
  if (options.precision !== 'float32' && teachers.some((teacher) => teacher instanceof QuantisedDetector)) {
    for (const teacher of teachers) teacher.dispose()
    throw new Error(
      `training.recipe.precision: expected float32 with a teacher that rounds to eight bits, found ${options.precision}`,
    )
  }
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

/** What a training starts from: new weights, the model's own, or those as int8, with ranges measured before the first step. */
async function newStudent(
  start: ReturnType<typeof loadModel>,
  config: Exclude<TrialConfig, { kind: 'teacher' | 'prune' | 'evaluate' }>,
  { dataset, folder, signal }: TrialContext,
): Promise<Detector> {
  const { network, weights } = start
  if ('fresh' in config && config.fresh) return Detector.create(network, config.training.seed)
  const quantise = 'quantise' in config ? config.quantise : undefined
  if (!quantise) return new Detector(network, weights)
  const { frames, head, for: target } = quantise
  const { sha256: _, ...calibration } = await calibrate(planOf({ network, weights }), start.sha256, dataset, {
    ...{ frames, seed: config.training.seed, crop: config.data.crop, cache: folder, signal },
  })
  return new QuantisedDetector(network, weights, { for: target, head, calibration })
}

/** Of a network that is quantised as it is. */
const UNTRAINED: TrainSummary = {
  ...{ steps: 0, images: 0, distilled: 0, seconds: 0, waitedShare: 0, last: {} },
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
  const { milliseconds, blocks, prunable } = config.prune
  const removed = blocks === undefined ? [] : leastBlocks(start.network, start.weights, blocks)
  const { network, weights } = withoutBlocks(start.network, start.weights, removed)
  // A share is that of the network with its blocks.
  const plan =
    milliseconds !== undefined
      ? planByLatency(network, weights, milliseconds, rulesOf(config.prune), { signal: context.signal }).plan
      : planPruning(network, weights, budgetOf(start.network, config.prune))
  const provenance = { ...originOf(config, context), ...(removed.length > 0 && { removedBlocks: removed }) }
  writeStructure(join(context.folder, FILES.structure), { network, plan, provenance })
  const pruned = prune(network, weights, plan)
  const { quantiles } = gammaHistogram(weights, prunableGammas(network, prunable))
  return {
    detector: new Detector(pruned.network, pruned.weights),
    pruning: {
      threshold: plan.threshold,
      keptMacs: complexity(pruned.network).macs / complexity(start.network).macs,
      gammaQuantiles: [...quantiles],
    },
  }
}
