/**
 * Checkpoints: `<name>.json` describes a model; `<name>.<hash>.safetensors` beside it holds its numbers as float32:
 * `weight/<layer>/<kernel|gamma|beta|mean|variance|bias>` and, during a training, `optimizer/...`. In Python:
 *
 *     from safetensors.numpy import load_file  # or safetensors.torch
 *     weights = load_file('model.<hash>.safetensors')
 *     kernel = weights['weight/stem/kernel']  # [kh, kw, in, out]; of a deconvolution [kh, kw, out, in]
 */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { expectHash, readSealed, sha256, writeAtomically, writeSealed } from '../base'
import {
  checkNetwork,
  type Darknet21Config,
  darknet21,
  darknet21Schema,
  type NetworkSpec,
  networkSchema,
  networkText,
  type Weights,
} from '../detector'
import { type Quantisation, quantisationSchema } from '../quantise'
import { averageSchema } from './average'
import { sgdSchema } from './optimizer'
import { labelsStateSchema } from './pseudo-labels'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors'
import { scheduleSchema, warmUpSchema } from './schedule'
import { validationStateSchema } from './stage'

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal digits')

/** What a training needs to continue, beside weights and optimizer; an exported model has none. */
const trainingSchema = z
  .object({
    steps: z.number().int().positive(),
    batch: z.number().int().positive(),
    /** The learning rate is a function of these and the step. */
    schedule: scheduleSchema,
    warmUp: warmUpSchema,
    sgd: sgdSchema,
    /** Every (seed, step) draws its batch, augmentation and adapters anew, so this is the whole random state. */
    random: z.object({ seed: z.number(), step: z.number().int().min(0) }).strict(),
    /** Time spent in steps so far. */
    seconds: z.number().min(0),
    /** What the last step measured. */
    last: z.record(z.number()),
    /** If the weights are averaged; the average is `optimizer/average/...`. */
    average: averageSchema.optional(),
    /** If the training evaluates along the way. */
    validation: validationStateSchema.optional(),
    /** If the training uses pseudo-labels. */
    labels: labelsStateSchema.optional(),
  })
  .strict()

/** What a training needs in order to go on where it stopped, but its numbers. */
export type TrainingState = z.infer<typeof trainingSchema>

/** Content of a checkpoint's JSON file; the safetensors file beside it holds the numbers. */
const described = {
  /** Name of the safetensors file, in the same folder, and its SHA-256. */
  file: z.string().regex(/^[^/\\]+$/, 'expected a name without folders'),
  sha256: hash,
  classes: z.array(z.string()),
  step: z.number().int().min(0),
  /** Anything else worth knowing: recipe, metrics, versions, parents. */
  provenance: z.record(z.unknown()),
}

/** Version 1 files were written before there were seals; in versions 1 and 2 `detector` is the widths and options of a darknet21. */
const trained = { ...described, training: trainingSchema.optional() }
/** A checkpoint's JSON file, in all its versions. */
export const checkpointSchema = z.discriminatedUnion('format', [
  z.object({ format: z.literal('detector-checkpoint/1'), detector: darknet21Schema, ...described }).strict(),
  z.object({ format: z.literal('detector-checkpoint/2'), detector: darknet21Schema, ...trained }).strict(),
  z
    .object({
      format: z.literal('detector-checkpoint/3'),
      network: networkSchema,
      ...trained,
      /** Of a network that was trained or measured as int8. */
      quantisation: quantisationSchema.optional(),
    })
    .strict(),
])

/** A network with its weights, and a training's state where it is to go on. */
export interface Checkpoint {
  readonly network: NetworkSpec
  readonly classes: readonly string[]
  /** Steps done. */
  readonly step: number
  /** Of a network that was trained or measured as int8: the scales of its activations. */
  readonly quantisation?: Quantisation
  /** Absent in an exported model. */
  readonly training?: TrainingState
  readonly weights: Weights
  /** Momentum by weight name, and other trained tensors; empty in an exported model. */
  readonly optimizer: ReadonlyMap<string, NamedTensor>
  readonly provenance: { readonly [key: string]: unknown }
}

const WEIGHT = 'weight/'
const OPTIMIZER = 'optimizer/'
/** The part after the stem in the name of a file of numbers. */
const NUMBERS = /^\.[0-9a-f]{12}\.safetensors$/
const ADVICE = 'fetch it again, or remove it and train it again'

/**
 * Saves a checkpoint as `<path>.json` and `<stem>.<hash>.safetensors` beside it. The JSON file is replaced last, so it
 * always names a complete file of numbers. Older files of numbers are removed afterwards.
 *
 * @param path ends in .json
 */
export function saveCheckpoint(path: string, checkpoint: Checkpoint): { sha256: string } {
  if (!path.endsWith('.json')) throw new Error(`${path}: expected the name of a .json file`)
  const tensors = new Map<string, NamedTensor>()
  for (const [name, tensor] of checkpoint.weights) tensors.set(WEIGHT + name, tensor)
  for (const [name, tensor] of checkpoint.optimizer) tensors.set(OPTIMIZER + name, tensor)
  const bytes = encodeSafetensors(tensors, { format: 'detector-checkpoint/1' })
  const digest = sha256(bytes)
  const stem = basename(path, '.json')
  const file = `${stem}.${digest.slice(0, 12)}.safetensors`
  const directory = dirname(path)
  writeAtomically(join(directory, file), bytes)
  const { network, classes, step, quantisation, training, provenance } = checkpoint
  const content = {
    format: 'detector-checkpoint/3',
    file,
    sha256: digest,
    ...{ network, classes, step, quantisation, training, provenance },
  }
  writeSealed(path, content, networkText)
  for (const other of readdirSync(directory)) {
    const isOwn = other.startsWith(`${stem}.`) && NUMBERS.test(other.slice(stem.length))
    if (isOwn && other !== file) rmSync(join(directory, other))
  }
  return { sha256: digest }
}

/**
 * Reads a checkpoint and verifies it.
 * @throws Error naming the file when it is missing, malformed, or does not match the recorded hash
 */
export function loadCheckpoint(path: string): Checkpoint & { readonly sha256: string } {
  const document = readSealed(path, checkpointSchema, { what: 'a checkpoint', advice: ADVICE })
  const file = join(dirname(path), document.file)
  if (!existsSync(file)) {
    throw new Error(`${file}: expected the numbers of ${basename(path)}, found no such file; copy both files`)
  }
  const bytes = readFileSync(file)
  expectHash(file, bytes, document.sha256, { by: basename(path), advice: ADVICE })
  const { tensors } = decodeSafetensors(bytes, file)
  const under = (prefix: string) =>
    new Map(
      [...tensors]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [name.slice(prefix.length), t]),
    )
  return {
    network: 'network' in document ? checkNetwork(document.network, path) : darknet21Of(document.detector),
    classes: document.classes,
    step: document.step,
    ...('training' in document && { training: document.training }),
    ...('quantisation' in document && { quantisation: document.quantisation }),
    weights: under(WEIGHT),
    optimizer: under(OPTIMIZER),
    provenance: document.provenance,
    sha256: document.sha256,
  }
}

const darknet21Of = (config: Darknet21Config): NetworkSpec => darknet21(config.backbone, config)

/** A checkpoint's model alone, without optimizer, adapters and training state. */
export function withoutTraining({ training: _, ...checkpoint }: Checkpoint): Checkpoint {
  return { ...checkpoint, optimizer: new Map() }
}
