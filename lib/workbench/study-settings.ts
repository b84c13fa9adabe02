import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { jsonOf, parseDocument, type Schema, sha256 } from '../base'
import { type StartingPoint, type StudySettings, seedsSchema } from '../study'
import { readingSchema } from '../trial'
import { root } from './project'

/** Environment variables that tell the notebooks which study to run; all are optional. */
export const ENVIRONMENT = {
  profile: 'WORKBOOK_PROFILE',
  /** Changed keys of the profile, as a JSON list of `key=value`. */
  set: 'WORKBOOK_SET',
  data: 'WORKBOOK_DATA',
  /** How to read that folder, as JSON. */
  reading: 'WORKBOOK_READING',
  out: 'WORKBOOK_OUT',
  seeds: 'WORKBOOK_SEEDS',
  from: 'WORKBOOK_FROM',
  full: 'WORKBOOK_FULL',
  /** Files of the user's own teacher, as a JSON list. */
  teacher: 'WORKBOOK_TEACHER',
  student: 'WORKBOOK_STUDENT',
  newHeads: 'WORKBOOK_NEW_HEADS',
  /** Folder for TensorBoard's event files; none by default. */
  tensorboard: 'WORKBOOK_TENSORBOARD',
  /** Start time of the command; bars of trials run since are shown when the trials are found. */
  started: 'WORKBOOK_STARTED',
} as const

/**
 * Default output folder of a study: runs/<profile>, followed by the names of the data folder and of the user's own models, and by a
 * few letters that identify the changes of `--set`.
 */
export function defaultOut(
  profile: string,
  data?: string,
  set: readonly string[] = [],
  models: Pick<StudySettings, 'teacher' | 'student' | 'newHeads'> = {},
): string {
  const name = profile.replace(/^.*\/|\.yaml$/g, '')
  const on = data === undefined ? '' : `-${basename(resolve(data))}`
  const marks = (['teacher', 'student'] as const).map((role) => {
    const [file] = models[role] ?? []
    return file === undefined ? '' : `-${role}-${basename(file).replace(/\.\w+$/, '')}`
  })
  const heads = models.newHeads ? '-new-heads' : ''
  return join(root, 'runs', `${name}${on}${marks.join('')}${heads}${changeMark(set)}`)
}

/** Suffix that distinguishes results with `--set` from others: a few letters of a hash. */
export function changeMark(set: readonly string[]): string {
  return set.length === 0 ? '' : `-${sha256(JSON.stringify([...set].sort())).slice(0, 6)}`
}

/**
 * Seeds as the command line and the environment give them: whole numbers with commas between, each once.
 * @throws Error naming what is wrong
 */
export function parseSeeds(text: string): number[] {
  const parts = text.split(',')
  if (!parts.every((part) => /^\s*-?\d+\s*$/.test(part)))
    throw new Error(`seeds: expected whole numbers separated by commas, found "${text}"`)
  return parseDocument(parts.map(Number), seedsSchema, 'seeds')
}

const STARTS: readonly StartingPoint[] = ['student', 'teacher', 'scratch']

/** Starting point of a study, as named on the command line and in the environment; undefined if not given. */
export function parseStart(text: string | undefined): StartingPoint | undefined {
  const found = STARTS.find((start) => start === text)
  if (text !== undefined && !found) {
    throw new Error(`from: expected ${STARTS.join(', ')}, found "${text}"`)
  }
  return found
}

/** What a command or the environment can say of a study; its cache, signal and bars are the workbook's own. */
export type AskedSettings = Omit<StudySettings, 'cache' | 'signal' | 'onData'>

/** The output folder of the study that the environment names. */
export function askedOut(): string {
  return askedSettings({}).out
}

/** The settings in the environment; settings given here take precedence. */
export function askedSettings(settings: Partial<StudySettings>): AskedSettings {
  const read = (name: keyof typeof ENVIRONMENT) => process.env[ENVIRONMENT[name]] || undefined
  const parsed = <T>(name: keyof typeof ENVIRONMENT, schema: Schema<T>): T | undefined => {
    const text = read(name)
    const variable = ENVIRONMENT[name]
    return text === undefined ? undefined : parseDocument(jsonOf(text, variable), schema, variable)
  }
  const profile = settings.profile ?? read('profile') ?? 'default'
  const set = settings.set ?? parsed('set', z.array(z.string()))
  const data = settings.data ?? read('data')
  const seeds = read('seeds')
  const files = z.array(z.string())
  const models = {
    teacher: parsed('teacher', files),
    student: parsed('student', files),
    newHeads: read('newHeads') === '1',
  }
  return {
    profile,
    set,
    data,
    reading: parsed('reading', readingSchema),
    ...models,
    out: resolve(read('out') ?? defaultOut(profile, data, set, models)),
    seeds: seeds === undefined ? undefined : parseSeeds(seeds),
    from: parseStart(read('from')),
    full: read('full') === '1',
    ...settings,
  }
}
