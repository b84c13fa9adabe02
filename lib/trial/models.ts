import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DamagedError } from '../base'
import { type Checkpoint, loadCheckpoint } from '../train'
import type { ModelRef } from './config'
import { givenFile, loadGiven } from './given'
import { FILES, REDO, readMetricsFile } from './results'

/** Checkpoints shipped with the workbook. */
export const SHIPPED = join(__dirname, '../../data/checkpoints')

/** A short readable name of a model. */
export function describeRef(ref: ModelRef): string {
  if ('given' in ref) return `the given ${ref.given}`
  return 'shipped' in ref ? `the shipped ${ref.shipped}` : `trial ${ref.trial.slice(0, 12)}`
}

/**
 * Loads the model that a reference names.
 * @param runs folder of the trials
 * @throws Error when it is missing or its hash differs from the reference's
 */
export function loadModel(ref: ModelRef, runs: string): Checkpoint & { readonly sha256: string } {
  if ('shipped' in ref) {
    const model = loadShipped(ref.shipped)
    if (model.sha256 !== ref.sha256) {
      throw new Error(`the shipped ${ref.shipped}: expected SHA-256 ${ref.sha256}, found ${model.sha256}`)
    }
    return model
  }
  if ('given' in ref) return loadGiven(ref, runs)
  const file = findModel(ref.trial, runs)
  if (!file) {
    throw new Error(`${runs}: expected a finished trial ${ref.trial.slice(0, 12)}, found none; run it first`)
  }
  const model = loadCheckpoint(file)
  expectOwn(file, model, ref.trial)
  return model
}

/** Checks that a model is the one that its trial left, and not another valid one in its place. */
function expectOwn(
  file: string,
  { provenance, sha256 }: ReturnType<typeof loadCheckpoint>,
  trial: string,
): void {
  const of = provenance.trial ?? trial
  if (of !== trial)
    throw new DamagedError(`${file}: expected the model of trial ${trial}, found that of ${of}`, REDO)
  const metrics = join(dirname(file), FILES.metrics)
  if (!existsSync(metrics)) return
  const { weights } = readMetricsFile(metrics)
  if (weights !== sha256) {
    const problem = `${file}: expected weights with SHA-256 ${weights} as ${FILES.metrics} says, found ${sha256}`
    throw new DamagedError(problem, REDO)
  }
}

/** The model file of a trial under `runs`; undefined if there is none. */
export function findModel(hash: string, runs: string): string | undefined {
  if (!existsSync(runs)) return undefined
  return readdirSync(runs)
    .filter((name) => name.endsWith(`-${hash.slice(0, 12)}`))
    .map((folder) => join(runs, folder, FILES.model))
    .find(existsSync)
}

/** The checkpoint that a reference names; undefined if there is none yet. */
export function modelFile(ref: ModelRef, runs: string): string | undefined {
  if ('trial' in ref) return findModel(ref.trial, runs)
  const file = 'shipped' in ref ? join(SHIPPED, `${ref.shipped}.json`) : givenFile(ref, runs)
  return existsSync(file) ? file : undefined
}

/** Reference to the checkpoint shipped under a name. */
export function shippedRef(name: string): ModelRef {
  return { shipped: name, sha256: loadShipped(name).sha256 }
}

/** The checkpoint shipped under a name. */
export function loadShipped(name: string): Checkpoint & { readonly sha256: string } {
  const file = join(SHIPPED, `${name}.json`)
  if (!existsSync(file)) {
    const found = existsSync(SHIPPED) ? readdirSync(SHIPPED).filter((other) => other.endsWith('.json')) : []
    throw new Error(
      `${file}: expected a shipped checkpoint, found ${found.join(', ') || 'none'}; --from scratch trains it`,
    )
  }
  return loadCheckpoint(file)
}
