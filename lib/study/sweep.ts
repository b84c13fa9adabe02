/** Sweeps: a comparison of arms on a profile's data, networks and recipe. A study's own comparison is one too. */
import { join } from 'node:path'
import { z } from 'zod'
import { labelsSchema } from '../trial'
import {
  armSchema,
  circleOf,
  isModelRole,
  isPruned,
  MODEL_ROLES,
  recipeChangeSchema,
  type SweepArm,
  seedsSchema,
  teachersOfArm,
} from './arm'
import { chainSchema, seedCheckpointsSchema } from './chain'
import { type NamedFiles, namesOf, readNamed } from './named-file'
import { ownDataStepsSchema } from './profile'

/** Schema of a sweep's file. Every unknown key is an error. */
export const sweepSchema = z
  .object({
    name: z.string().regex(/^[a-z0-9-]+$/, 'expected small letters, digits and hyphens'),
    /** The question it asks, for the reader of its report. */
    question: z.string(),
    /** Name or file of the profile whose data, teacher, student and recipe it uses. */
    profile: z.string(),
    seeds: seedsSchema,
    /** The split on which the models are measured. */
    split: z.enum(['validation', 'test', 'shifted']).default('validation'),
    /** References of the arms, the most important one first: other arms, or the study's own models by role. */
    references: z.array(z.string()).min(1),
    /** Changes to the labels that every training sees. Default: none. */
    labels: labelsSchema.optional(),
    /** Parts of the recipe that replace the profile's in every training. */
    recipe: recipeChangeSchema.optional(),
    /** Gives every seed a teacher of its own, from which the arms' starting points are made. */
    chain: chainSchema.optional(),
    /** The same with shipped checkpoints: their names in data/checkpoints, without the seed at their end. */
    checkpoints: seedCheckpointsSchema.optional(),
    /** Files of a teacher of one's own, from where the command runs: a checkpoint, or a cfg with or without weights. */
    teacher: z.array(z.string()).min(1).optional(),
    /** Files of a student of one's own, in place of the slimmed teacher. */
    student: z.array(z.string()).min(1).optional(),
    /** For a user's own data: replaces the profile's steps of the models that the arms start from. */
    ownDataSteps: ownDataStepsSchema.omit({ distill: true }).partial().optional(),
    arms: z.array(armSchema).min(1),
  })
  .strict()
  .superRefine(({ arms, references, chain, checkpoints }, context) => {
    const names = arms.map(({ name }) => name)
    const isKnown = ({ start }: SweepArm) =>
      typeof start !== 'string' || isModelRole(start) || names.includes(start)
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    if (chain && checkpoints)
      complain(['checkpoints'], 'expected no chain beside it: either makes the teacher of a seed')
    references.forEach((reference, i) => {
      const known = [...names, ...MODEL_ROLES]
      if (known.includes(reference)) return
      complain(['references', i], `expected one of ${known.join(', ')}, found ${reference}`)
    })
    arms.forEach((arm, i) => {
      const { name, steps, start, pseudo } = arm
      const named = [
        { key: 'start', model: start },
        ...teachersOfArm(arm).map((model) => ({ key: 'teacher', model })),
      ]
      const unknown = named.filter(
        ({ model }) => typeof model === 'string' && ![...names, ...MODEL_ROLES].includes(model),
      )
      for (const { key, model } of unknown) {
        const others = [...MODEL_ROLES, ...names.filter((other) => other !== name)]
        complain(['arms', i, key], `expected one of ${others.join(', ')}, or a list of files, found ${model}`)
      }
      const circle = circleOf(arm, arms)
      if (circle)
        complain(
          ['arms', i, circle[1] === start ? 'start' : 'teacher'],
          `expected a model that does not wait for this arm, found ${circle.join(' <- ')}`,
        )
      if (chain && !chain.finetune && start === 'student') {
        complain(
          ['arms', i, 'start'],
          'expected pruned or teacher, for the chain has no finetune; found student',
        )
      }
      if (names.indexOf(name) !== i || isModelRole(name)) {
        complain(['arms', i, 'name'], `expected a name of its own, found ${name} twice`)
      }
      if (steps === undefined || typeof steps === 'number') return
      if (pseudo) {
        complain(['arms', i, 'steps'], 'expected a number for an arm with pseudo-labels, found asCostlyAs')
      }
      const like = arms.find((other) => other.name === steps.asCostlyAs)
      if (unknown.length > 0 || circle) return
      const pruned = [arm, ...(like ? [like] : [])].find((one) => isKnown(one) && isPruned(one, arms))
      if (typeof like?.steps === 'number' && like.steps > 0 && !like.pseudo && !pruned) return
      const found = !like
        ? steps.asCostlyAs
        : like.pseudo
          ? `${like.name}, whose pseudo-labels have a cost known only after its run`
          : pruned
            ? `${pruned.name}, whose cost is known only when its network is pruned; give steps as numbers`
            : `${like.name}, whose steps are ${like.steps === 0 ? 0 : 'not a number'}`
      complain(['arms', i, 'steps', 'asCostlyAs'], `expected an arm with a number of steps, found ${found}`)
    })
  })
/** A comparison of arms, read from YAML. */
export type Sweep = z.infer<typeof sweepSchema>

const SWEEP_FILES: NamedFiles = { kind: 'sweep', folder: join(__dirname, 'sweeps') }

/** Names of the sweeps shipped with the workbook. */
export function sweepNames(): string[] {
  return namesOf(SWEEP_FILES)
}

/**
 * Reads a sweep by name, or a user's own YAML file, which may say `extends: few-labels-300` and only what differs.
 * @param set `key=value` each, laid over the file
 * @throws Error naming the file and every wrong key
 */
export function loadSweep(nameOrFile: string, set: readonly string[] = []): Sweep {
  return readNamed(SWEEP_FILES, sweepSchema, nameOrFile, set).value
}
