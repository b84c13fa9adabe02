import { createHash } from 'node:crypto'
import stringify from 'safe-stable-stringify'
import { z } from 'zod'
import { detectorSchema } from '../detector'
import { labelsSchema } from './labels'
import { pruneSchema, recipeSchema, termSchema, unlabelledSchema } from './recipe'

/** Where a trial's weights come from: another trial, or a checkpoint that is shipped with the workbook. */
export const modelRefSchema = z.union([
  z.object({ trial: z.string().length(64) }).strict(),
  z.object({ shipped: z.string(), sha256: z.string().length(64) }).strict(),
])
export type ModelRef = z.infer<typeof modelRefSchema>

const resolvedRecipe = recipeSchema.extend({ precision: z.enum(['float32', 'bfloat16', 'float16']) }).strict()

const training = z
  .object({
    steps: z.number().int().positive(),
    rate: z.number().positive(),
    seed: z.number().int(),
    recipe: resolvedRecipe,
    labels: labelsSchema.optional(),
  })
  .strict()

/** What every trial has: the data that it sees, by content. */
const common = {
  data: z
    .object({ hash: z.string(), crop: z.tuple([z.number(), z.number(), z.number(), z.number()]).optional() })
    .strict(),
}

/** A trial: everything that its result depends on, and nothing else. Its hash names its folder. */
export const trialSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('teacher'), ...common, detector: detectorSchema, training }).strict(),
  z
    .object({
      kind: z.literal('sparse'),
      ...common,
      start: modelRefSchema,
      training,
      strength: z.number().positive(),
    })
    .strict(),
  z.object({ kind: z.literal('prune'), ...common, start: modelRefSchema, prune: pruneSchema }).strict(),
  z.object({ kind: z.literal('finetune'), ...common, start: modelRefSchema, training }).strict(),
  z
    .object({
      kind: z.literal('control'),
      ...common,
      start: modelRefSchema,
      /** Only the architecture of `start`, with new weights. */
      fresh: z.literal(true).optional(),
      training,
    })
    .strict(),
  z
    .object({
      kind: z.literal('distill'),
      ...common,
      start: modelRefSchema,
      teacher: modelRefSchema,
      training,
      terms: z.array(termSchema).min(1),
      fresh: z.literal(true).optional(),
      unlabelled: unlabelledSchema.optional(),
    })
    .strict(),
  /** A model's numbers on a split: of shipped models on validation, and of the final ones on test, once. */
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
export type TrialConfig = z.infer<typeof trialSchema>
export type TrialKind = TrialConfig['kind']

/**
 * SHA-256 of a trial's canonical JSON (keys sorted). The same config gives the same hash on every machine. Raised with
 * `version` when the code changes in a way that changes results.
 */
export function trialHash(config: TrialConfig): string {
  const version = 1
  const text: string = stringify({ version, config: trialSchema.parse(config) }) ?? ''
  return createHash('sha256').update(text).digest('hex')
}

/** The model that a trial leaves. */
export const refTo = (trial: TrialConfig): ModelRef => ({ trial: trialHash(trial) })

/** The models that a trial loads: the one that it starts from, and its teacher. */
export function modelsOf(config: TrialConfig): ModelRef[] {
  if (config.kind === 'teacher') return []
  return config.kind === 'distill' ? [config.start, config.teacher] : [config.start]
}

/** Name of a trial's folder: what it is, for people, and its hash. */
export function trialFolder(config: TrialConfig): string {
  const label = config.kind === 'distill' ? config.terms.map((term) => term.method).join('+') : config.kind
  return `${label}-${trialHash(config).slice(0, 12)}`
}
