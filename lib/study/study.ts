import { join, resolve } from 'node:path'
import { type Change, parseDocument } from '../base'
import { type Dataset, type StudyNeeds, studyLimits } from '../data'
import type { NetworkSpec } from '../detector'
import { deviceInfo, supportsPrecision } from '../engine'
import {
  type DataReading,
  type DataSource,
  type GivenOptions,
  openSource,
  readGiven,
  recordSplits,
  storeGiven,
  type TrialConfig,
  type TrialResult,
} from '../trial'
import {
  filesKey,
  type Origin,
  originOf,
  type SweepArm,
  seedsSchema,
  teacherOrigins,
  teachersOfArm,
} from './arm'
import { type JobPlan, planJobs } from './jobs'
import {
  type GivenModels,
  type GivenRef,
  type Planned,
  planModels,
  type StartingPoint,
  teacherNetwork,
} from './plan'
import { type Profile, readProfile } from './profile'
import { profileSweep } from './profile-arms'
import { type RunOptions, resultsOf, runSideBySide, type TrialOutcome } from './runner'
import type { Sweep } from './sweep'
import { thisMachine, workersOf } from './workers'

/** The user's settings; the rest is in the profile. */
export interface StudySettings {
  /** A profile's name or a YAML file. */
  readonly profile: string
  /** Keys of the profile with other values, `key=value` each. */
  readonly set?: readonly string[]
  /** A folder with the user's own data set, replacing the profile's scenes. */
  readonly data?: string
  /** How to read that folder. */
  readonly reading?: DataReading
  /** Folder for everything the study writes. */
  readonly out: string
  readonly cache: string
  readonly seeds?: readonly number[]
  /** Files of a teacher of one's own: a checkpoint, or a cfg with or without weights and .names (`readGiven`). */
  readonly teacher?: readonly string[]
  /** Files of a student of one's own, in place of the slimmed teacher. */
  readonly student?: readonly string[]
  /** Gives both of them new heads, whatever their classes. */
  readonly newHeads?: boolean
  /** What to take from the shipped checkpoints, if the profile has any. Default: teacher and student. */
  readonly from?: StartingPoint
  /** The profile's long version. */
  readonly full?: boolean
  /** Individual values that replace the profile's. */
  readonly ownDataSteps?: Partial<Profile['ownDataSteps']>
  /** Fewer steps, images per step and images, to see whether a profile runs; the numbers are then meaningless. */
  readonly reduce?: { readonly steps: number; readonly batch: number; readonly images: number }
  readonly signal?: AbortSignal
  /** Progress of rendering the scenes. */
  readonly onData?: (done: number, total: number) => void
}

/** How a study runs trials: what stops it, and whom it tells. */
export type StudyRunOptions = Pick<RunOptions, 'signal' | 'since' | 'onProgress'>

/** A profile on a data set, with its plan and its folder. */
export interface Study extends Planned {
  readonly settings: StudySettings
  /** Changes of the profile to the one it extends. */
  readonly changes: readonly Change[]
  /** The study's own comparison: controls, methods, ablations. */
  readonly sweep: Sweep
  /** How the user's own teacher and student were read; none where there are none. */
  readonly notes: readonly string[]
  /** Number of trials that run side by side. */
  readonly workers: number
  /**
   * Runs trials, or finds them; results in their order.
   * @throws TrialsFailed where one fails, when the others have ended
   */
  run(trials: readonly TrialConfig[], options?: StudyRunOptions): Promise<TrialResult[]>
  /** The same, with the reason in place of a result where a trial fails. */
  attempt(trials: readonly TrialConfig[], options?: StudyRunOptions): Promise<TrialOutcome[]>
  /** What an engine needs that runs trials in place of `run`; its results are found by `run` afterwards. */
  jobs(trials: readonly TrialConfig[], options?: Pick<RunOptions, 'since'>): JobPlan
}

/** Opens the data (rendering it the first time), resolves the profile and plans the trials. */
export async function createStudy(settings: StudySettings): Promise<Study> {
  const { profile: loaded, changes } = readProfile(settings.profile, settings.set)
  const long = settings.full && loaded.full ? { ...loaded, ...loaded.full } : loaded
  const changed = { ...long, ownDataSteps: { ...long.ownDataSteps, ...settings.ownDataSteps } }
  const from = settings.from ?? (loaded.checkpoints ? 'student' : 'scratch')
  const profile = settings.reduce ? reduced(changed, from, settings.reduce) : changed
  const ownData = settings.data !== undefined
  const source: DataSource =
    settings.data === undefined
      ? { scenes: profile.data }
      : { directory: resolve(settings.data), ...settings.reading }
  const { cache, signal, onData: onProgress } = settings
  const dataset = await openSource(source, cache, { onProgress, signal })
  const precision = profile.recipe.precision === 'auto' ? automaticPrecision() : profile.recipe.precision
  const seeds = parseDocument(settings.seeds ?? profile.seeds, seedsSchema, 'seeds')
  const seed = seeds[0]!
  const runs = join(settings.out, 'trials')
  const planning = { profile, dataset, precision, ownData, from, seed }
  const { notes, ...given } = await givenModels(settings, planning, runs)
  if (ownData) {
    expectFits(dataset, profile, given.teacher?.network.input)
    await recordSplits(dataset, settings.out)
  }
  const plan = planModels({ ...planning, given })
  const { checkpointEvery, logEvery, curve } = profile
  const trained = given.teacher || given.student ? Object.values(plan.networks) : []
  const workers = workersOf(profile, thisMachine(), trained)
  const task = { runs, cache, source, checkpointEvery, logEvery, curve }
  const attempt: Study['attempt'] = (trials, options = {}) =>
    runSideBySide(trials, { ...task, workers, signal, ...options })
  return {
    settings,
    profile,
    changes,
    dataset,
    plan,
    sweep: profileSweep(profile, { seeds, ownData }),
    notes,
    precision,
    runs,
    given,
    workers,
    run: async (trials, options) => resultsOf(await attempt(trials, options)),
    attempt,
    jobs: (trials, options) => planJobs(trials, { ...task, ...options }),
  }
}

/** Reads a model of the user's own and copies it into the folder of the trials. */
async function readModel(
  option: string,
  files: readonly string[],
  runs: string,
  options: GivenOptions,
): Promise<GivenRef & { readonly notes: readonly string[] }> {
  const model = await readGiven(files, option, options)
  const { network, trained, notes } = model
  return { ref: storeGiven(model, options.classes, runs), network, trained, notes }
}

/** The user's own teacher and student. */
async function givenModels(
  { teacher: teacherFiles, student: studentFiles, newHeads }: StudySettings,
  planning: Parameters<typeof planModels>[0],
  runs: string,
): Promise<GivenModels & { readonly notes: readonly string[] }> {
  const { dataset, seed } = planning
  const { classes } = dataset
  const read = (option: string, files: readonly string[], more: Partial<GivenOptions> = {}) =>
    readModel(option, files, runs, { classes, seed, newHeads, ...more })
  const teacher = teacherFiles && (await read('--teacher', teacherFiles))
  const student =
    studentFiles &&
    (await read('--student', studentFiles, {
      teacher: teacherNetwork({ ...planning, given: { ...(teacher && { teacher }) } }),
    }))
  return {
    ...(teacher && { teacher }),
    ...(student && { student }),
    notes: [...(teacher?.notes ?? []), ...(student?.notes ?? [])],
  }
}

/**
 * A study with the models that a sweep's arms name by files, read and copied into the folder of the trials.
 *
 * @throws Error naming arm and files of what cannot be read, or of a teacher with new weights, which nothing would train
 */
export async function withArmModels(sweep: Pick<Sweep, 'arms'>, study: Study): Promise<Study> {
  const { arms } = sweep
  const { dataset, settings, plan, runs } = study
  const givenArms = new Map<string, GivenRef>()
  const notes: string[] = []
  const read = async (
    arm: SweepArm,
    key: 'start' | 'teacher',
    files: readonly string[],
    teacher?: NetworkSpec,
  ) => {
    const known = givenArms.get(filesKey(files))
    if (known) return known
    const { classes } = dataset
    const options = { classes, seed: study.sweep.seeds[0]!, newHeads: settings.newHeads, teacher }
    const { notes: own, ...model } = await readModel(`arm ${arm.name}: ${key}`, files, runs, options)
    givenArms.set(filesKey(files), model)
    notes.push(...own)
    return model
  }
  /** The network of a role, or of files, which are read where they have not been. */
  const networkOf = async (
    arm: SweepArm,
    key: 'start' | 'teacher',
    origin: Origin,
    teacher?: NetworkSpec,
  ) => {
    if (typeof origin !== 'string') return (await read(arm, key, origin, teacher)).network
    return origin === 'teacher' ? plan.networks.teacher : plan.networks.student
  }
  for (const arm of arms) {
    const teachers: NetworkSpec[] = []
    for (const origin of teacherOrigins(arm, arms)) teachers.push(await networkOf(arm, 'teacher', origin))
    await networkOf(arm, 'start', originOf(arm, arms), teachers[0])
    const untrained = teachersOfArm(arm).find(
      (model) => typeof model !== 'string' && !givenArms.get(filesKey(model))!.trained,
    )
    if (untrained)
      throw new Error(
        `arm ${arm.name}: teacher: expected a model whose weights are all given, found one with new weights (${[untrained].flat().join(' ')}); ` +
          'train it in an arm of its own, and name that arm',
      )
  }
  return { ...study, givenArms, notes: [...study.notes, ...notes] }
}

/** A profile's requirements of a user's data set, for `studyLimits`. */
export function needsOf(
  { recipe, detector, crop, side }: Profile,
  input: NetworkSpec['input'] = detector.input,
): StudyNeeds {
  return { batch: recipe.batch, input, crop, labelled: side.labelled, tested: true }
}

/**
 * Checks the requirements of every study before anything is trained.
 * @throws Error naming what was found and the key that changes it
 */
function expectFits(dataset: Dataset, profile: Profile, input?: NetworkSpec['input']): void {
  const { labelled: _, tested: __, ...needs } = needsOf(profile, input)
  const limits = studyLimits(dataset, needs)
  if (limits.length > 0)
    throw new Error(`${dataset.name} and profile ${profile.name}:\n  ${limits.join('\n  ')}`)
}

/** bfloat16 if a CPU computes with it; float32 on other CPUs, and on GPUs, which use TF32 for it. */
function automaticPrecision(): 'float32' | 'bfloat16' {
  return deviceInfo().device === 'CPU' && supportsPrecision('bfloat16') === true ? 'bfloat16' : 'float32'
}

function reduced(
  profile: Profile,
  from: StartingPoint,
  { steps, batch, images }: NonNullable<StudySettings['reduce']>,
): Profile {
  const { stages } = profile
  return {
    ...profile,
    data: { ...profile.data, splits: { train: Math.max(images, batch), validation: images, test: images } },
    recipe: { ...profile.recipe, batch },
    stages: {
      ...stages,
      // Shipped models keep the steps they were made with.
      ...(from === 'scratch' && {
        teacher: { ...stages.teacher, steps },
        sparse: { ...stages.sparse, steps },
        finetune: { ...stages.finetune, steps },
      }),
      distill: { ...stages.distill, steps },
    },
  }
}
