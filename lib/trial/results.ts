import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocument, writeAtomically } from '../base'
import type { Detections, Truths } from '../evaluate'
import { decodeSafetensors, encodeSafetensors, type NamedTensor, VALIDATION_FILE } from '../train'
import { type TrialConfig, trialFolder, trialHash, trialSchema } from './config'
import { type Metrics, metricsSchema } from './metrics'

/** Files of a trial's folder. */
export const FILES = {
  config: 'config.json',
  /** Structured log, a line of JSON every `logEvery` steps. */
  log: 'log.jsonl',
  /** From a training that evaluates along the way: a line of JSON per evaluation. */
  validation: VALIDATION_FILE,
  /** From a sparsity training: the distribution of |gamma|, a line of JSON per checkpoint. */
  gammas: 'gammas.jsonl',
  /** From a training with pseudo-labels: their number and thresholds, a line of JSON per round. */
  pseudo: 'pseudo.jsonl',
  /** From a pruning: the channels kept. */
  structure: 'structure.json',
  /** The trained model without optimizer, adapters or teacher. */
  model: 'model.json',
  detections: 'detections.safetensors',
  /** Written last. */
  metrics: 'metrics.json',
} as const

/** A finished trial on disk. */
export interface TrialResult {
  readonly folder: string
  readonly config: TrialConfig
  readonly metrics: Metrics
}

/** Truths and detections of a trial's evaluation, for further numbers or drawings. */
export interface TrialDetections {
  readonly truths: Truths
  readonly detections: Detections
  /** Ids of the images, in order. */
  readonly ids: readonly string[]
}

const WORDING = { advice: 'remove the folder to redo the trial' }

/** The config of the trial in a folder, finished or not; undefined if it has none. */
export function readConfig(folder: string): TrialConfig | undefined {
  const file = join(folder, FILES.config)
  return existsSync(file) ? readDocument(file, trialSchema, WORDING) : undefined
}

/**
 * Reads a finished trial; undefined while it has no metrics.
 * @throws Error naming file and key if the folder is damaged
 */
export function readTrial(folder: string): TrialResult | undefined {
  const file = join(folder, FILES.metrics)
  if (!existsSync(file)) return undefined
  const metrics = readDocument(file, metricsSchema, WORDING)
  const config = readDocument(join(folder, FILES.config), trialSchema, WORDING)
  const expected = trialHash(config)
  if (metrics.hash !== expected) {
    throw new Error(
      `${file}: expected hash ${expected} of its config, found ${metrics.hash}; remove the folder to redo the trial`,
    )
  }
  return { folder, config, metrics }
}

/** The finished trial of a config under `runs`; undefined if there is none. */
export function findTrial(runs: string, config: TrialConfig): TrialResult | undefined {
  return readTrial(join(runs, trialFolder(config)))
}

/** All finished trials under `runs`. */
export function readTrials(runs: string): TrialResult[] {
  if (!existsSync(runs)) return []
  return readdirSync(runs)
    .sort()
    .map((name) => readTrial(join(runs, name)))
    .filter((trial): trial is TrialResult => trial !== undefined)
}

const column = (values: ArrayLike<number>): NamedTensor => ({
  shape: [values.length],
  values: Float32Array.from(values),
})

/** Stores truths and detections as float32 columns. */
export function writeDetections(folder: string, { truths, detections, ids }: TrialDetections): void {
  const tensors = new Map<string, NamedTensor>()
  for (const [name, rows] of [
    ['truth', truths],
    ['detection', detections],
  ] as const) {
    tensors.set(`${name}/image`, column(rows.image))
    tensors.set(`${name}/label`, column(rows.label))
    tensors.set(`${name}/box`, column(rows.box))
  }
  tensors.set('truth/difficult', column(truths.difficult ?? new Uint8Array(truths.image.length)))
  tensors.set('truth/crowd', column(truths.crowd ?? new Uint8Array(truths.image.length)))
  tensors.set('detection/score', column(detections.score))
  const metadata = { classes: String(truths.classes), ids: JSON.stringify(ids) }
  writeAtomically(join(folder, FILES.detections), encodeSafetensors(tensors, metadata))
}

/** Reads what `writeDetections` wrote. */
export function readDetections(folder: string): TrialDetections {
  const file = join(folder, FILES.detections)
  const { tensors, metadata } = decodeSafetensors(readFileSync(file), file)
  const values = (name: string): Float32Array => {
    const tensor = tensors.get(name)
    if (!tensor)
      throw new Error(`${file}: expected column "${name}", found ${[...tensors.keys()].join(', ')}`)
    return tensor.values
  }
  const ids: unknown = JSON.parse(metadata.ids ?? 'null')
  if (!Array.isArray(ids))
    throw new Error(`${file}: expected a list of ids in its metadata, found ${metadata.ids}`)
  return {
    ids: ids.map(String),
    truths: {
      images: ids.length,
      classes: Number(metadata.classes),
      image: Int32Array.from(values('truth/image')),
      label: Int32Array.from(values('truth/label')),
      box: Float64Array.from(values('truth/box')),
      difficult: Uint8Array.from(values('truth/difficult')),
      crowd: Uint8Array.from(values('truth/crowd')),
    },
    detections: {
      image: Int32Array.from(values('detection/image')),
      label: Int32Array.from(values('detection/label')),
      score: Float64Array.from(values('detection/score')),
      box: Float64Array.from(values('detection/box')),
    },
  }
}
