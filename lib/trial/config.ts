import { createHash } from 'node:crypto'
import stringify from 'safe-stable-stringify'
import { z } from 'zod'
import { darknet21Schema } from '../detector'
import { quantiseSchema } from '../quantise'
import { prunableSchema } from '../slimming'
import { labelsSchema } from './labels'
import { pseudoSchema, teacherViewsSchema } from './pseudo'
import { pruneSchema, recipeSchema, seedSchema, termSchema, unlabelledSchema } from './recipe'

/**
 * Source of a trial's weights: another trial, a checkpoint shipped with the workbook, or a model of the user's own, of which the
 * folder of the trials holds a copy (`storeGiven`).
 */
export const modelRefSchema = z.union([
  z.object({ trial: z.string().length(64) }).strict(),
  z.object({ shipped: z.string(), sha256: z.string().length(64) }).strict(),
  z.object({ given: z.string(), sha256: z.string().length(64) }).strict(),
])
export type ModelRef = z.infer<typeof modelRefSchema>

const resolvedRecipe = recipeSchema.extend({ precision: z.enum(['float32', 'bfloat16', 'float16']) }).strict()

const training = z
  .object({
    /** 0 only of a network that is quantised as it is. */
    steps: z.number().int().min(0),
    rate: z.number().positive().finite(),
    seed: seedSchema,
    recipe: resolvedRecipe,
    labels: labelsSchema.optional(),
  })
  .strict()

/** Keys of every trial: the data it sees, by content. */
const common = {
  data: z
    .object({ hash: z.string(), crop: z.tuple([z.number(), z.number(), z.number(), z.number()]).optional() })
    .strict(),
}

/** A trial: everything its result depends on, and nothing else. Its hash names its folder. */
const trialKinds = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('teacher'),
      ...common,
      /** A network of the workbook's own with new weights. */
      detector: darknet21Schema.optional(),
      /** Instead: a model to start from, whose heads may be new. */
      start: modelRefSchema.optional(),
      training,
    })
    .strict(),
  z
    .object({
      kind: z.literal('sparse'),
      ...common,
      start: modelRefSchema,
      training,
      strength: z.number().positive().finite(),
      /** Whose scales shrink; the backbone's by default. */
      prunable: prunableSchema.optional(),
    })
    .strict(),
  z.object({ kind: z.literal('prune'), ...common, start: modelRefSchema, prune: pruneSchema }).strict(),
  z.object({ kind: z.literal('finetune'), ...common, start: modelRefSchema, training }).strict(),
  z
    .object({
      kind: z.literal('control'),
      ...common,
      start: modelRefSchema,
      /** Takes only the architecture from `start`, with new weights. */
      fresh: z.literal(true).optional(),
      /** Trains the network as the int8 one that it is to be; with no steps it is only made one. */
      quantise: quantiseSchema.optional(),
      training,
    })
    .strict(),
  z
    .object({
      kind: z.literal('distill'),
      ...common,
      start: modelRefSchema,
      /** One teacher, or several that teach by their mean. */
      teacher: z.union([modelRefSchema, z.array(modelRefSchema).min(2)]),
      training,
      /** May be empty only with `pseudo`. */
      terms: z.array(termSchema),
      fresh: z.literal(true).optional(),
      /** As of a control. */
      quantise: quantiseSchema.optional(),
      unlabelled: unlabelledSchema.optional(),
      /** Trains on the unlabelled frames with the teacher's detections as labels. */
      pseudo: pseudoSchema.optional(),
      /** Views over which the teacher's outputs are averaged. */
      views: teacherViewsSchema.optional(),
    })
    .strict(),
  /** A model's numbers on a split: shipped models on validation, and final models once on test. */
  z
    .object({
      kind: z.literal('evaluate'),
      ...common,
      start: modelRefSchema,
      split: z.enum(['validation', 'test', 'shifted']),
      batch: z.number().int().positive(),
      precision: z.enum(['float32', 'bfloat16', 'float16']),
    })
    .strict(),
])

/** A trial whose parts are also consistent with each other. */
export const trialSchema = trialKinds.superRefine((config, { addIssue }) => {
  const refuse = (path: (string | number)[], message: string) => addIssue({ code: 'custom', path, message })
  if (config.kind === 'teacher' && (config.detector === undefined) === (config.start === undefined))
    refuse(['detector'], `expected either detector or start, found ${config.start ? 'both' : 'neither'}`)
  const quantise = 'quantise' in config ? config.quantise : undefined
  if (quantise && 'fresh' in config && config.fresh)
    refuse(['quantise'], 'expected a trained network to quantise, found fresh weights')
  if (quantise && 'training' in config && config.training.recipe.precision !== 'float32')
    refuse(
      ['training', 'recipe', 'precision'],
      `expected float32 with quantise, which rounds by itself, found ${config.training.recipe.precision}`,
    )
  if ('training' in config && config.training.steps === 0 && !(quantise && config.kind === 'control'))
    refuse(['training', 'steps'], 'expected at least one, since nothing is quantised alone, found 0')
  if (config.kind !== 'distill') return
  const { terms, pseudo, views, unlabelled, training } = config
  if (terms.length === 0 && !pseudo) refuse(['terms'], 'expected at least one, or pseudo-labels instead')
  if (pseudo && !unlabelled) refuse(['pseudo'], 'expected unlabelled frames with it, found none')
  if (pseudo?.renew !== undefined && !training.recipe.average)
    refuse(['pseudo', 'renew'], 'expected training.recipe.average, whose model renews the labels; found none')
  if (views?.scales && terms.length > 0)
    refuse(
      ['views', 'scales'],
      'expected no terms: slots of different scales do not belong to the same objects',
    )
})
export type TrialConfig = z.infer<typeof trialSchema>
export type TrialKind = TrialConfig['kind']

/**
 * SHA-256 of a trial's canonical JSON (keys sorted). The same config gives the same hash on every machine. When the code
 * changes in a way that changes results, `version` is raised, which changes the hash.
 */
export function trialHash(config: TrialConfig): string {
  const version = 1
  const text: string = stringify({ version, config: trialSchema.parse(config) }) ?? ''
  return createHash('sha256').update(text).digest('hex')
}

/** Reference to the model that a trial produces. */
export const refTo = (trial: TrialConfig): ModelRef => ({ trial: trialHash(trial) })

/** The models a trial loads: the one it starts from, and its teachers. */
export function modelsOf(config: TrialConfig): ModelRef[] {
  if (config.kind === 'teacher') return config.start ? [config.start] : []
  return config.kind === 'distill' ? [config.start, ...teachersOf(config)] : [config.start]
}

/** The teachers of a distillation. */
export function teachersOf({
  teacher,
}: Pick<Extract<TrialConfig, { kind: 'distill' }>, 'teacher'>): ModelRef[] {
  return Array.isArray(teacher) ? teacher : [teacher]
}

/** Name of a trial's folder: a readable name, and its hash. */
export function trialFolder(config: TrialConfig): string {
  const label =
    config.kind === 'distill'
      ? [...config.terms.map((term) => term.method), ...(config.pseudo ? ['pseudo-labels'] : [])].join('+')
      : config.kind
  return `${label}-${trialHash(config).slice(0, 12)}`
}
