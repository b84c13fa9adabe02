/** The content of a training's checkpoint, and how a run continues from it. */
import { existsSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type Detector, weightShapes } from '../detector'
import { tf } from '../engine'
import { loadCheckpoint, type TrainingState } from './checkpoint'
import type { Slot } from './optimizer'
import type { TrainOptions } from './options'
import type { LabelsState } from './pseudo-labels'
import type { NamedTensor } from './safetensors'
import type { ValidationState } from './stage'
import type { Measurements } from './step'

/** The settings that a run must share with the run it continues. */
function settingsOf({ steps, batch, schedule, warmUp, sgd, average }: TrainOptions) {
  return { steps, batch, schedule, warmUp, sgd, average }
}

/** The progress of a training. */
export interface Reached {
  readonly step: number
  readonly seconds: number
  readonly last: Measurements
  readonly validation?: ValidationState
  readonly labels?: LabelsState
}

/** The training state for a checkpoint. */
export function trainingState(
  options: TrainOptions,
  { step, seconds, last, validation, labels }: Reached,
): TrainingState {
  return { ...settingsOf(options), random: { seed: options.seed, step }, seconds, last, validation, labels }
}

/** Everything that a training changes. */
export interface Trained {
  readonly detector: Detector
  readonly slots: readonly Slot[]
  /** Variables of the extra loss, by name. */
  readonly extra?: ReadonlyMap<string, tf.Variable>
  /** The moving average of the detector. */
  readonly averaged?: Detector
}

/** What a training needs to continue beside the weights, as tensors by name. */
export function trainingTensors(trained: Trained): Map<string, NamedTensor> {
  const tensors = new Map<string, NamedTensor>()
  for (const [name, variable] of variablesOf(trained)) tensors.set(name, tensorOf(variable))
  return tensors
}

function variablesOf({ slots, extra = new Map(), averaged }: Trained): Map<string, tf.Variable> {
  const variables = new Map<string, tf.Variable>()
  for (const { name, momentum } of slots) variables.set(`momentum/${name}`, momentum)
  for (const [name, variable] of extra) variables.set(`extra/${name}`, variable)
  for (const layer of averaged?.layers ?? []) {
    for (const suffix of weightShapes(layer).keys()) {
      const name = `${layer.name}/${suffix}`
      variables.set(`average/${name}`, averaged!.variable(name))
    }
  }
  return variables
}

/**
 * Restores the checkpoint of a training, if there is one.
 *
 * @param trial hash of the trial that must have written it; undefined for a training outside a trial
 * @throws Error naming the setting or tensor that differs, if it is another training's
 */
export function restore(path: string, trained: Trained, options: TrainOptions, trial?: unknown): Reached {
  if (!existsSync(path)) return { step: 0, seconds: 0, last: {} }
  const checkpoint = loadCheckpoint(path)
  const { training, step } = checkpoint
  const wanted = { ...settingsOf(options), random: { seed: options.seed, step } }
  for (const key of ['random', 'steps', 'batch', 'schedule', 'warmUp', 'sgd', 'average'] as const) {
    checkSetting(path, key, wanted[key], training?.[key])
  }
  if (trial !== undefined) checkSetting(path, 'trial', trial, checkpoint.provenance.trial)
  checkSetting(path, 'validation.rule', options.validation, training?.validation?.rule)
  trained.detector.restore(checkpoint.weights)
  for (const [name, variable] of variablesOf(trained)) {
    const found = checkpoint.optimizer.get(name)
    if (!found || found.shape.join() !== variable.shape.join()) {
      throw new Error(
        `${path}: tensor ${name}: expected shape [${variable.shape}], found [${found?.shape ?? 'none'}]`,
      )
    }
    tf.tidy(() => variable.assign(tf.tensor(found.values, [...found.shape])))
  }
  return {
    step,
    seconds: training?.seconds ?? 0,
    last: training?.last ?? {},
    validation: training?.validation,
    labels: training?.labels,
  }
}

function checkSetting(path: string, key: string, expected: unknown, found: unknown): void {
  if (isDeepStrictEqual(expected, found)) return
  throw new Error(
    `${path}: training.${key}: expected ${JSON.stringify(expected) ?? 'none'} as in this training, found ` +
      `${JSON.stringify(found) ?? 'none'}; remove the checkpoint or train in another folder`,
  )
}

function tensorOf(variable: tf.Variable): NamedTensor {
  return { shape: [...variable.shape], values: Float32Array.from(variable.dataSync()) }
}
