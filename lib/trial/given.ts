/** Models of the user's own: Darknet's files or a checkpoint, made to fit the data's classes. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import stringify from 'safe-stable-stringify'
import { sha256 } from '../base'
import { readClassNames } from '../data'
import {
  checkNetwork,
  headsOf,
  initialWeights,
  logitLayers,
  type NetworkSpec,
  parseCfg,
  readDarknet,
  selectClasses,
  type Weights,
  withClasses,
} from '../detector'
import { type Checkpoint, encodeSafetensors, loadCheckpoint, saveCheckpoint } from '../train'
import type { ModelRef } from './config'

/** Folder of the copies, in the folder of the trials. */
const FOLDER = 'given'

/** A model of the user's own, as the study takes it. */
export interface GivenModel {
  /** For people and file names: that of the cfg or checkpoint file. */
  readonly name: string
  /** Its heads have the data's classes, in the data's order. */
  readonly network: NetworkSpec
  readonly weights: Weights
  /** Whether every weight was read; else some are new, and the model has to be trained. */
  readonly trained: boolean
  /** Sentences on what was read in another way than it may have been meant. */
  readonly notes: readonly string[]
  readonly provenance: { readonly [key: string]: unknown }
}

/** What a user's model is fitted to. */
export interface GivenOptions {
  /** The data's. */
  readonly classes: readonly string[]
  /** Seed of new weights. */
  readonly seed: number
  /** Makes the heads anew, whatever the files hold. Default: only where there is no other way. */
  readonly newHeads?: boolean
  /**
   * The network that will teach this one. New heads take its anchors and scale_x_y at strides where it has as many anchors,
   * because methods that compare outputs need the same.
   */
  readonly teacher?: NetworkSpec
}

interface Files {
  readonly checkpoint?: string
  readonly cfg?: string
  readonly weights?: string
  readonly names?: string
}

/**
 * What each of the files of a model is, by its ending: a checkpoint (.json); or a cfg, alone or with weights (any other ending);
 * and class names (.names).
 *
 * @param option how errors call the files
 * @throws Error naming the files that are no such set, or the one that does not exist
 */
export function givenFiles(files: readonly string[], option: string): Files {
  const missing = files.find((file) => !existsSync(file))
  if (missing !== undefined)
    throw new Error(`${option} ${missing}: expected a cfg, weights, .names or checkpoint file, found nothing`)
  const ending = (...wanted: string[]) => files.filter((file) => wanted.some((end) => file.endsWith(end)))
  const [checkpoints, cfgs, names] = [ending('.json'), ending('.cfg'), ending('.names')]
  const weights = files.filter((file) => ![...checkpoints, ...cfgs, ...names].includes(file))
  const isCheckpoint = checkpoints.length === 1 && cfgs.length + weights.length === 0
  const isDarknet = cfgs.length === 1 && checkpoints.length === 0 && weights.length <= 1
  if (names.length > 1 || !(isCheckpoint || isDarknet))
    throw new Error(
      `${option}: expected a checkpoint (.json), or a .cfg with or without a file of weights, and a .names file if need be; ` +
        `found ${files.join(' ') || 'nothing'}`,
    )
  return { checkpoint: checkpoints[0], cfg: cfgs[0], weights: weights[0], names: names[0] }
}

interface Source {
  readonly file: string
  readonly network: NetworkSpec
  readonly weights: Weights
  /** Layers that no file says anything of. */
  readonly initial: readonly string[]
  readonly notes: readonly string[]
  readonly classes?: readonly string[]
}

/**
 * Reads a model and fits it to the data's classes:
 *
 * - where its class names are known, from a checkpoint or a .names file (given, or beside the cfg under its name), the data's
 *   classes are taken out of its heads by name, in the data's order;
 * - where they are not, and it has as many classes as the data, they are taken to be in the data's order;
 * - where the weights end before the heads, there are none, or the number of unnamed classes is another, the heads are made anew.
 *
 * @throws Error with both lists of classes when names are known and one of the data's is not among them
 */
export async function readGiven(
  files: readonly string[],
  option: string,
  options: GivenOptions,
): Promise<GivenModel> {
  const source = await readSource(givenFiles(files, option), options.seed)
  const { file, initial } = source
  const name = basename(file)
    .replace(/\.\w+$/, '')
    .replace(/[^\w.-]+/g, '-')
  const provenance = {
    files: files.map((path) => ({ file: basename(path), sha256: sha256(readFileSync(path)) })),
  }
  const heads = logitLayers(source.network)
  const headsMissing = heads.some((layer) => initial.includes(layer))
  const fitted =
    options.newHeads || headsMissing
      ? withNewHeads(source, options, headsMissing ? 'its weights do not reach them' : 'as asked for')
      : fitClasses(source, option, options)
  const others = initial.filter((layer) => !heads.includes(layer))
  const notes = [
    ...source.notes,
    ...(others.length > 0
      ? [`${file}: ${others.length} layers besides have new weights: ${listed(others)}.`]
      : []),
    ...fitted.notes,
  ]
  return { name, ...fitted, trained: fitted.trained && initial.length === 0, notes, provenance }
}

const listed = (names: readonly string[]) =>
  names.length > 6 ? `${names.slice(0, 3).join(', ')} ... ${names.at(-1)}` : names.join(', ')

async function readSource({ checkpoint, cfg, weights: file, names }: Files, seed: number): Promise<Source> {
  if (checkpoint !== undefined) {
    const { network, weights, classes } = loadCheckpoint(checkpoint)
    const known = names === undefined ? classes : await readClassNames(names)
    return {
      file: checkpoint,
      network,
      weights,
      initial: [],
      notes: [],
      ...(known.length > 0 && { classes: known }),
    }
  }
  if (cfg === undefined) throw new Error('expected a checkpoint or a cfg, found neither') // givenFiles refuses it
  const beside = cfg.replace(/\.cfg$/, '.names')
  const list = names ?? (existsSync(beside) ? beside : undefined)
  const classes = list === undefined ? undefined : await readClassNames(list)
  if (file !== undefined) {
    const { network, weights, warnings, initial } = readDarknet(cfg, file, seed)
    return { file: cfg, network, weights, initial, notes: warnings, classes }
  }
  const { network, warnings } = parseCfg(readFileSync(cfg, 'utf8'), cfg)
  const weights = initialWeights(network, seed)
  const initial = [...new Set([...weights.keys()].map((name) => name.replace(/\/[^/]+$/, '')))]
  return { file: cfg, network, weights, initial, notes: warnings, classes }
}

type Fitted = Pick<GivenModel, 'network' | 'weights' | 'trained' | 'notes'>

/** The model for the data's classes, with its own heads where they have them. */
function fitClasses(source: Source, option: string, options: GivenOptions): Fitted {
  const { file, network, weights, classes: own } = source
  const { classes } = options
  const { classes: number } = headsOf(network)
  if (own === undefined) {
    if (number !== classes.length)
      return withNewHeads(
        source,
        options,
        `it has ${number} classes without names, the data ${classes.length}`,
      )
    const note = `${file}: its class names are not known; they are taken to be the data's, in this order: ${classes.join(', ')}.`
    return { network, weights, trained: true, notes: [note] }
  }
  if (own.length !== number)
    throw new Error(
      `${file}: expected the names of its ${number} classes, found ${own.length}: ${own.join(', ')}`,
    )
  const missing = classes.filter((name) => !own.includes(name))
  if (missing.length > 0)
    throw new Error(
      `${option} ${file}: expected every class of the data among the model's, found no ${missing.join(', ')}; the data's: ` +
        `${classes.join(', ')}; the model's: ${own.join(', ')}; give the model's classes the data's names in a .names file, or ` +
        'have new heads trained with --new-heads',
    )
  if (own.join('\n') === classes.join('\n')) return { network, weights, trained: true, notes: [] }
  const selected = selectClasses(
    network,
    weights,
    classes.map((name) => own.indexOf(name)),
  )
  const note = `${file}: its classes are taken by name: ${classes.join(', ')}, of ${own.join(', ')}.`
  return { ...selected, trained: true, notes: [note] }
}

/** The model with new heads for the data's classes, and the teacher's anchors where they fit. */
function withNewHeads(
  { file, network, weights }: Source,
  { classes, seed, teacher }: GivenOptions,
  why: string,
): Fitted {
  const taken = teacher ? headsAsOf(network, teacher) : []
  const changed = withClasses(network, classes.length, taken)
  const fresh = initialWeights(changed, seed)
  const heads = logitLayers(changed)
  const kept = [...fresh].map(([name, values]) => {
    const layer = name.replace(/\/[^/]+$/, '')
    return [name, heads.includes(layer) ? values : (weights.get(name) ?? values)] as const
  })
  const strides = headsOf(network).strides.filter((_, head) => taken[head] !== undefined)
  const notes = [
    `${file}: its heads (${heads.join(', ')}) are made anew for ${classes.length} classes, since ${why}.`,
    ...(strides.length > 0
      ? [`${file}: at stride ${strides.join(', ')} its new heads take the teacher's anchors and scale_x_y.`]
      : []),
  ]
  return { network: changed, weights: new Map(kept), trained: false, notes }
}

/** The teacher's anchors and scale_x_y at every head's stride where it has as many anchors, and others. */
function headsAsOf(network: NetworkSpec, teacher: NetworkSpec) {
  const [own, other] = [headsOf(network), headsOf(teacher)]
  return own.strides.map((stride, head) => {
    const scale = other.strides.indexOf(stride)
    const [anchors, scaleXY] = [other.anchors[scale], other.scaleXY[scale]]
    if (!anchors || scaleXY === undefined || anchors.length !== own.anchors[head]!.length) return undefined
    const before = JSON.stringify([own.anchors[head], own.scaleXY[head]])
    return JSON.stringify([anchors, scaleXY]) === before ? undefined : { anchors, scaleXY }
  })
}

/** SHA-256 of a model's network and weights. */
function modelHash({ network, weights }: Pick<Checkpoint, 'network' | 'weights'>): string {
  const sorted = new Map([...weights].sort(([a], [b]) => (a < b ? -1 : 1)))
  return sha256(stringify({ network, weights: sha256(encodeSafetensors(sorted)) }) ?? '')
}

/** Where the copy of a given model is. */
export const givenFile = (
  { given, sha256: hash }: Extract<ModelRef, { given: string }>,
  runs: string,
): string => join(runs, FOLDER, `${given}-${hash.slice(0, 12)}.json`)

/** Copies a model into the folder of the trials, which load it from there, so that the study needs the user's files no more. */
export function storeGiven(
  { name, network, weights, provenance }: GivenModel,
  classes: readonly string[],
  runs: string,
): ModelRef {
  // As it will be read back: what JSON drops is dropped.
  const plain = checkNetwork(JSON.parse(JSON.stringify(network)), name)
  const hash = modelHash({ network: plain, weights })
  const file = givenFile({ given: name, sha256: hash }, runs)
  if (!existsSync(file))
    saveCheckpoint(file, { network: plain, classes, step: 0, weights, optimizer: new Map(), provenance })
  return { given: name, sha256: hash }
}

/**
 * The copy of a given model.
 * @throws Error when it is missing, or another model than the reference says
 */
export function loadGiven(
  ref: Extract<ModelRef, { given: string }>,
  runs: string,
): ReturnType<typeof loadCheckpoint> {
  const { given, sha256: expected } = ref
  const file = givenFile(ref, runs)
  if (!existsSync(file))
    throw new Error(
      `${file}: expected the copy of the given model ${given}, found none; run the command again`,
    )
  const model = loadCheckpoint(file)
  const found = modelHash(model)
  if (found !== expected)
    throw new Error(
      `${file}: expected a model of SHA-256 ${expected}, found ${found}; remove the file and run the command again`,
    )
  return model
}
