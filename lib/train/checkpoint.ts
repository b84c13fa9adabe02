import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../data/atomic'
import { readJson } from '../data/json'
import { type DetectorConfig, detectorSchema, type Weights } from '../detector'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors'

export { writeAtomically }

/** What the JSON file of a checkpoint says; the safetensors file beside it holds the numbers. */
const documentSchema = z
  .object({
    format: z.literal('detector-checkpoint/1'),
    /** Name of the safetensors file, in the same folder, and its SHA-256. */
    file: z.string(),
    sha256: z.string().length(64),
    detector: detectorSchema,
    classes: z.array(z.string()),
    /** Steps done; batches and augmentation are functions of (seed, step), so this is the random state too. */
    step: z.number().int().min(0),
    /** Anything else worth knowing: recipe, metrics, versions, parents. */
    provenance: z.record(z.unknown()),
  })
  .strict()

export interface Checkpoint {
  readonly detector: DetectorConfig
  readonly classes: readonly string[]
  readonly step: number
  readonly weights: Weights
  /** Momentum by weight name, and other trained tensors; empty in an exported model. */
  readonly optimizer: ReadonlyMap<string, NamedTensor>
  readonly provenance: { readonly [key: string]: unknown }
}

const WEIGHT = 'weight/'
const OPTIMIZER = 'optimizer/'
/** What follows the stem: a file of numbers, or a temporary name of one or of the JSON file. */
const OWN_FILE = /^\.[0-9a-f]{12}\.safetensors$|^\.(json|[0-9a-f]{12}\.safetensors)\..*\.tmp$/

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * Saves a checkpoint as `<path>.json` and `<stem>.<hash>.safetensors` beside it. The JSON file is replaced last, so
 * that at any moment it names a complete file of numbers; older ones, and what a killed process left half-written, are
 * removed afterwards.
 *
 * @param path ends in .json
 */
export function saveCheckpoint(path: string, checkpoint: Checkpoint): { sha256: string } {
  if (!path.endsWith('.json')) throw new Error(`${path}: expected the name of a .json file`)
  const tensors = new Map<string, NamedTensor>()
  for (const [name, tensor] of checkpoint.weights) tensors.set(WEIGHT + name, tensor)
  for (const [name, tensor] of checkpoint.optimizer) tensors.set(OPTIMIZER + name, tensor)
  const bytes = encodeSafetensors(tensors, { format: 'detector-checkpoint/1' })
  const hash = sha256(bytes)
  const stem = basename(path, '.json')
  const file = `${stem}.${hash.slice(0, 12)}.safetensors`
  const directory = dirname(path)
  writeAtomically(join(directory, file), bytes)
  const document: z.infer<typeof documentSchema> = {
    format: 'detector-checkpoint/1',
    file,
    sha256: hash,
    detector: checkpoint.detector,
    classes: [...checkpoint.classes],
    step: checkpoint.step,
    provenance: checkpoint.provenance,
  }
  writeAtomically(path, `${JSON.stringify(document, null, 2)}\n`)
  for (const other of readdirSync(directory)) {
    const isOwn = other.startsWith(`${stem}.`) && OWN_FILE.test(other.slice(stem.length))
    if (isOwn && other !== file) rmSync(join(directory, other))
  }
  return { sha256: hash }
}

/**
 * Reads a checkpoint and verifies it.
 * @throws Error naming the file when it is missing, malformed, or its numbers do not have the recorded hash
 */
export function loadCheckpoint(path: string): Checkpoint & { readonly sha256: string } {
  const parsed = documentSchema.safeParse(readJson(path))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new Error(`${path}: not a checkpoint: at "${issue?.path.join('.')}": ${issue?.message}`)
  }
  const document = parsed.data
  const file = join(dirname(path), document.file)
  const bytes = readFileSync(file)
  const hash = sha256(bytes)
  if (hash !== document.sha256) {
    throw new Error(
      `${file}: expected SHA-256 ${document.sha256} as ${basename(path)} says, found ${hash}; the file is damaged or ` +
        'belongs to another checkpoint: fetch or train it again',
    )
  }
  const { tensors } = decodeSafetensors(bytes, file)
  const under = (prefix: string) =>
    new Map(
      [...tensors]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [name.slice(prefix.length), t]),
    )
  return {
    detector: document.detector,
    classes: document.classes,
    step: document.step,
    weights: under(WEIGHT),
    optimizer: under(OPTIMIZER),
    provenance: document.provenance,
    sha256: hash,
  }
}
