/** Checks that the shipped checkpoints a profile takes are the models it asks for. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { keyOf, readSealed } from '../base'
import { FILES, loadShipped, SHIPPED, type TrialConfig, trialSchema } from '../trial'
import type { Profile } from './profile'

type Stage<K extends TrialConfig['kind']> = Extract<TrialConfig, { kind: K }>

/** The trials that would make a profile's models. */
export interface StageTrials {
  readonly teacher: Stage<'teacher'>
  readonly sparse: Stage<'sparse'>
  readonly pruned: Stage<'prune'>
  readonly finetune: Stage<'finetune'>
}

/** A key of the profile, with its value there and the value the checkpoint was made with. */
interface Setting {
  readonly key: string
  readonly asked: unknown
  readonly made: unknown
}

/**
 * Compares a profile with the checkpoints it takes: the network, the steps and rates of the stages, and the pruning.
 *
 * @param options `slimmed`: whether the student is taken too, not only the teacher
 * @throws Error naming every key of the profile that differs, with both values and the possible remedies
 */
export function compareWithCheckpoints(
  profile: Profile,
  names: NonNullable<Profile['checkpoints']>,
  asked: StageTrials,
  { slimmed }: { readonly slimmed: boolean },
): void {
  const teacher = differing(names.teacher, teacherSettings(asked.teacher, configOf(names.teacher, 'teacher')))
  const slimming = slimmed
    ? [
        ...differing(names.sparse, sparseSettings(asked.sparse, sparseConfig(names.sparse))),
        ...differing(names.pruned, pruneSettings(asked.pruned, configOf(names.pruned, 'prune'))),
        ...differing(
          names.student,
          stageSettings('finetune', asked.finetune, configOf(names.student, 'finetune')),
        ),
      ]
    : []
  if (teacher.length + slimming.length === 0) return
  const wayOn =
    teacher.length === 0
      ? '--from teacher slims the shipped teacher as the profile says'
      : '--from scratch trains what the profile says'
  throw new Error(
    `profile ${profile.name}: expected the settings with which its checkpoints were made, found others:\n` +
      `${[...teacher, ...slimming].map((line) => `  ${line}`).join('\n')}\n` +
      `Take the checkpoints' values, or: ${wayOn}; or leave out "checkpoints" in the profile.`,
  )
}

function differing(name: string, settings: readonly Setting[]): string[] {
  return settings
    .filter(({ asked, made }) => !isDeepStrictEqual(asked, made))
    .map(
      ({ key, asked, made }) =>
        `${key}: the profile asks for ${JSON.stringify(asked)}, the checkpoint ${name} was made with ${JSON.stringify(made)}`,
    )
}

function teacherSettings(asked: StageTrials['teacher'], made: StageTrials['teacher']): Setting[] {
  if (!asked.detector || !made.detector)
    throw new Error('checkpoints: expected teachers of new weights, found one that starts from another model')
  const { detector } = made
  const { backbone: ownBackbone, neck: ownNeck, classes: _, scaleXY: __, ...own } = asked.detector
  const { backbone, neck } = detector
  const others = Object.entries(own).map(([key, value]) => ({
    key: keyOf(['detector', key]),
    asked: value,
    made: detector[key as keyof typeof own],
  }))
  const widths = {
    key: 'detector.width (backbone and neck)',
    asked: [ownBackbone.out, ownNeck],
    made: [backbone.out, neck],
  }
  return [...others, widths, ...stageSettings('teacher', asked, made)]
}

function sparseSettings(asked: StageTrials['sparse'], made: StageTrials['sparse']): Setting[] {
  const { strength } = asked
  return [
    ...stageSettings('sparse', asked, made),
    { key: 'stages.sparse.strength', asked: strength, made: made.strength },
    { key: 'stages.prune.prunable', asked: asked.prunable ?? 'backbone', made: made.prunable ?? 'backbone' },
  ]
}

function pruneSettings(asked: StageTrials['pruned'], made: StageTrials['pruned']): Setting[] {
  return Object.entries(asked.prune).map(([key, value]) => ({
    key: keyOf(['stages', 'prune', key]),
    asked: value,
    made: made.prune[key as keyof typeof made.prune],
  }))
}

function stageSettings(
  stage: string,
  asked: { readonly training: { readonly steps: number; readonly rate: number } },
  made: { readonly training: { readonly steps: number; readonly rate: number } },
): Setting[] {
  return (['steps', 'rate'] as const).map((key) => ({
    key: `stages.${stage}.${key}`,
    asked: asked.training[key],
    made: made.training[key],
  }))
}

const originSchema = z.object({ config: trialSchema })

/** The config of the trial that made a shipped checkpoint. */
function configOf<K extends TrialConfig['kind']>(name: string, kind: K): Stage<K> {
  const { provenance } = loadShipped(name)
  const { config } = originSchema.parse(provenance)
  return ofKind(config, kind, join(SHIPPED, `${name}.json`))
}

/** The same for the sparse network, whose checkpoint is not shipped. */
function sparseConfig(name: string): StageTrials['sparse'] {
  const file = join(SHIPPED, `${name}.${FILES.config}`)
  if (!existsSync(file))
    throw new Error(`${file}: expected the config of the sparsity training, found none; restore it`)
  return ofKind(readSealed(file, trialSchema, { advice: 'restore it from the repository' }), 'sparse', file)
}

function ofKind<K extends TrialConfig['kind']>(config: TrialConfig, kind: K, place: string): Stage<K> {
  if (config.kind !== kind)
    throw new Error(`${place}: expected a trial of kind ${kind}, found ${config.kind}`)
  return config as Stage<K>
}
