import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { DamagedError, readSealed, sha256, writeSealed } from '../base'
import { VALIDATION_FILE } from '../train'
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
  /** Why the trial has no metrics, where it failed; see failure.ts. */
  failed: 'failed.json',
  /** Written last. */
  metrics: 'metrics.json',
} as const

/** A finished trial on disk. */
export interface TrialResult {
  readonly folder: string
  readonly config: TrialConfig
  readonly metrics: Metrics
}

/** Files without a seal of their own: the metrics hold their hashes. */
const VOUCHED = [FILES.detections, FILES.log, FILES.validation, FILES.gammas, FILES.pseudo] as const
export type Vouched = (typeof VOUCHED)[number]

/** A trial's metrics on disk, with the SHA-256 of the files beside them, which an earlier version did not record. */
const metricsFileSchema = metricsSchema.extend({ files: z.record(z.string()).default({}) }).strict()

export const REDO = 'remove the folder to redo the trial'

/** Writes the config of the trial in a folder. */
export function writeConfig(folder: string, config: TrialConfig): void {
  writeSealed(join(folder, FILES.config), config)
}

/** Writes a trial's metrics, which complete its folder, with the hashes of the other files. */
export function writeMetrics(folder: string, metrics: Metrics): void {
  writeSealed(join(folder, FILES.metrics), { ...metrics, files: hashesBeside(join(folder, FILES.metrics)) })
}

/** SHA-256 of the files beside a file of metrics that share its prefix, as in data/checkpoints. */
export function hashesBeside(metrics: string): Record<string, string> {
  const found = VOUCHED.map((name) => [name, besides(metrics, FILES.metrics, name)] as const)
  return Object.fromEntries(
    found.filter(([, file]) => existsSync(file)).map(([name, file]) => [name, sha256(readFileSync(file))]),
  )
}

const besides = (file: string, own: string, other: string): string => `${file.slice(0, -own.length)}${other}`

/**
 * The hash of a file in the metrics beside it; undefined if the trial is not finished or had no such file.
 * @throws DamagedError if the metrics are damaged
 */
export function vouchedHash(file: string, name: Vouched): string | undefined {
  const metrics = besides(file, name, FILES.metrics)
  return existsSync(metrics) ? readMetricsFile(metrics).files[name] : undefined
}

/**
 * Reads a file of metrics.
 * @param advice how to go on if it is damaged
 * @throws DamagedError naming file and key
 */
export function readMetricsFile(file: string, advice = REDO): z.infer<typeof metricsFileSchema> {
  return readSealed(file, metricsFileSchema, { advice, within: dirname(dirname(file)) })
}

/** The config of the trial in a folder, finished or not; undefined if it has none. */
export function readConfig(folder: string): TrialConfig | undefined {
  const file = join(folder, FILES.config)
  return existsSync(file)
    ? readSealed(file, trialSchema, { advice: REDO, within: dirname(folder) })
    : undefined
}

/**
 * Reads a finished trial; undefined while it has no metrics.
 * @throws DamagedError naming file and key if the folder is damaged
 */
export function readTrial(folder: string): TrialResult | undefined {
  const file = join(folder, FILES.metrics)
  if (!existsSync(file)) return undefined
  const { files: _, ...metrics } = readMetricsFile(file)
  const config = readConfig(folder)
  if (!config) throw new DamagedError(`${join(folder, FILES.config)}: expected a file, found none`, REDO)
  expectTrial(file, trialHash(config), metrics.hash, 'its config')
  return { folder, config, metrics }
}

function expectTrial(file: string, expected: string, found: string, of: string): void {
  if (found === expected) return
  throw new DamagedError(`${file}: expected hash ${expected} of ${of}, found ${found}`, REDO)
}

/**
 * The finished trial of a config under `runs`; undefined if there is none.
 * @throws DamagedError if the folder is damaged or another trial's
 */
export function findTrial(runs: string, config: TrialConfig): TrialResult | undefined {
  const folder = join(runs, trialFolder(config))
  const found = readTrial(folder)
  if (found) expectTrial(join(folder, FILES.config), trialHash(config), found.metrics.hash, 'the trial')
  return found
}

/** All finished trials under `runs`. */
export function readTrials(runs: string): TrialResult[] {
  if (!existsSync(runs)) return []
  return readdirSync(runs)
    .sort()
    .map((name) => readTrial(join(runs, name)))
    .filter((trial): trial is TrialResult => trial !== undefined)
}
