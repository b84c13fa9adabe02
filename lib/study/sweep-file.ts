/** Results of sweeps as files: the numbers of every arm, and how they were made. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readSealed, recordOf } from '../base'
import { isModelRole, roleOf } from './arm'
import {
  type ArmNumbers,
  armNumbersSchema,
  differenceSchema,
  failedArmSchema,
  intervalSchema,
} from './arm-numbers'
import { type Sweep, sweepSchema } from './sweep'

const origin = {
  /** Command that makes the result again. */
  command: z.string(),
  provenance: z.record(z.unknown()),
}
const current = z
  .object({
    format: z.literal('sweep/2'),
    sweep: sweepSchema,
    arms: z.array(armNumbersSchema),
    /** Arms without a result. */
    failed: z.array(failedArmSchema).optional(),
    ...origin,
  })
  .strict()

/** A finished sweep with its numbers, as shipped. */
export type SweepFile = z.infer<typeof current>

/** A sweep with its arms in numbers. */
export type SweepResult = Pick<SweepFile, 'sweep' | 'arms' | 'failed'>

const arm = armNumbersSchema.shape
const differencesByMetric = recordOf(differenceSchema)
/** The format before arms had roles and several splits: one row per arm. */
const former = z
  .object({
    format: z.literal('sweep/1'),
    sweep: sweepSchema,
    rows: z.array(
      z
        .object({
          name: z.string(),
          series: arm.series,
          seeds: z.array(z.number()),
          steps: z.number(),
          trainingMacs: z.number(),
          macs: z.number(),
          images: z.number(),
          mAP50: intervalSchema,
          AP: intervalSchema,
          toReferences: recordOf(differencesByMetric),
          toTeacher: differencesByMetric.optional(),
          terms: arm.terms,
          trials: arm.trials,
          seconds: z.number(),
        })
        .strict(),
    ),
    ...origin,
  })
  .strict()
type Former = z.infer<typeof former>

/** Reads both formats. */
export const sweepFileSchema = z
  .discriminatedUnion('format', [current, former])
  .transform((file): SweepFile => (file.format === 'sweep/2' ? file : upgraded(file)))

function upgraded({ sweep, rows, command, provenance }: Former): SweepFile {
  const teacher = rows.find(({ name }) => name === 'teacher')
  const arms = rows.map((row): ArmNumbers => {
    const { name, series, seeds, images, mAP50, AP, toReferences, toTeacher, ...numbers } = row
    const ofTeacher = toTeacher ? [['teacher', toTeacher] as const] : []
    const differences = Object.fromEntries([...Object.entries(toReferences), ...ofTeacher])
    return {
      ...numbers,
      name,
      role: roleIn(sweep, name),
      ...(series !== undefined && { series }),
      ...(teacher && { macsShare: row.macs / teacher.macs }),
      splits: { [sweep.split]: { images, seeds, values: { mAP50, AP }, differences, perClass: [] } },
    }
  })
  return { format: 'sweep/2', sweep, arms, command, provenance }
}

function roleIn({ arms }: Sweep, name: string): ArmNumbers['role'] {
  const planned = arms.find((candidate) => candidate.name === name)
  if (planned) return roleOf(planned, arms)
  return isModelRole(name) ? name : 'control'
}

/** Folder of the sweep results shipped with the workbook. */
export const SWEEPS = join(__dirname, '../../data/sweeps')

/** Folder of what the trials of shipped sweeps recorded: metrics, log, validation curve. Sweeps may share trials. */
export const RECORDS = join(SWEEPS, 'trials')
/** Beginning of the names of a trial's files there. */
export const recordName = (hash: string): string => hash.slice(0, 12)

/**
 * Reads a sweep's result.
 * @throws DamagedError naming file and key if it is damaged
 */
export function readSweepFile(file: string): SweepFile {
  return readSealed(file, sweepFileSchema, { advice: 'run the sweep again' })
}

/** The results shipped with the workbook, by name in alphabetical order. */
export function shippedSweeps(): ReadonlyMap<string, SweepFile> {
  if (!existsSync(SWEEPS)) return new Map()
  const names = readdirSync(SWEEPS)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
  return new Map(names.sort().map((name) => [name, readSweepFile(join(SWEEPS, `${name}.json`))]))
}
