import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { parse } from 'yaml'
import { abortCells, beginCell, lockFolder } from '../../lib/base'
import {
  type ArmNumbers,
  compareSweep,
  createStudy,
  findArms,
  type Study,
  sweepSchema,
  sweepTrials,
} from '../../lib/study'
import { loadCheckpoint } from '../../lib/train'
import { findTrial, readFailure, readTrial, type TrialConfig, trialFolder } from '../../lib/trial'
import { root } from '../../lib/workbench/project'
import { type Engine, parseEngine, runOnEngine, snakemakeProgram } from '../../lib/workbench/snakemake'
import { temporary } from '../train/tiny'

test('options of an engine that was not requested are refused', () => {
  assert.deepEqual(parseEngine('snakemake', ['--jobs', '2']), { name: 'snakemake', options: ['--jobs', '2'] })
  assert.equal(parseEngine(undefined, []), undefined)
  assert.throws(
    () => parseEngine(undefined, ['--jobs', '2']),
    /expected --engine .*, found --jobs 2 without it/,
  )
})

const ENGINE: Engine = { name: 'snakemake', options: [] }
/** Steps of the fine-tuning, which is stopped and killed along the way. */
const STEPS = 200

const sweep = sweepSchema.parse({
  name: 'tiny',
  question: 'Does it run?',
  profile: 'tiny',
  seeds: [1, 2],
  split: 'test',
  references: ['control'],
  arms: [
    { name: 'control', steps: 2, rate: 0.01 },
    {
      name: 'distilled',
      start: 'pruned',
      steps: { asCostlyAs: 'control' },
      rate: 0.01,
      terms: [{ method: 'objectness-mse', weight: 0.1 }],
    },
  ],
})
const sweepJobs = (study: Study) => {
  const { training, measuring } = sweepTrials(sweep, study)
  return [...training, ...measuring]
}

// Installing Snakemake takes half a minute, and every job a start of its own.
const skip = process.env.TEST_SNAKEMAKE ? false : 'TEST_SNAKEMAKE is not set'

describe('trials on Snakemake', { skip }, () => {
  const folder = temporary()
  let study: Study
  let finetune: TrialConfig
  let unavailable: string | undefined
  const folderOf = (trial: TrialConfig) => join(study.runs, trialFolder(trial))

  before(async () => {
    beginCell()
    try {
      await snakemakeProgram()
    } catch (error) {
      unavailable = String(error)
      return
    }
    study = await tinyStudy('engine')
    finetune = study.plan.preparation.at(-1)!
  })
  after(() => beginCell())

  function tinyStudy(out: string): Promise<Study> {
    const smoke = parse(readFileSync(join(root, 'lib/study/profiles/smoke.yaml'), 'utf8'))
    const stages = {
      teacher: { ...smoke.stages.teacher, steps: 2 },
      sparse: { ...smoke.stages.sparse, steps: 2 },
      finetune: { ...smoke.stages.finetune, steps: STEPS },
    }
    const file = join(folder, 'tiny.yaml')
    const changes = {
      name: 'tiny',
      data: { ...smoke.data, splits: { train: 12, validation: 12, test: 12 } },
      recipe: { ...smoke.recipe, batch: 4 },
      stages: { ...smoke.stages, ...stages },
      checkpointEvery: 10,
      logEvery: 1,
    }
    writeFileSync(file, JSON.stringify({ ...smoke, ...changes }))
    return createStudy({ profile: file, out: join(folder, out), cache: join(folder, 'cache') })
  }

  /** Waits for the fine-tuning's first checkpoint. */
  async function checkpoint(): Promise<number> {
    const file = join(folderOf(finetune), 'checkpoint.json')
    while (!existsSync(file)) await setTimeout(5)
    return loadCheckpoint(file).step
  }

  const steps = (): number[] =>
    readFileSync(join(folderOf(finetune), 'log.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).step)

  test('a folder in which another process is at work is left to it', async (t) => {
    if (unavailable) return t.skip(unavailable)
    const [teacher] = study.plan.preparation
    const release = await lockFolder(folderOf(teacher!))
    await runOnEngine(study, ENGINE, () => [])
    const refusal = new RegExp(`expected a folder of its own, found process ${process.pid} `)
    assert.match(readFileSync(join(folderOf(teacher!), 'job.log'), 'utf8'), refusal)
    release()
    assert.equal(readTrial(folderOf(teacher!)), undefined)
    const failures = study.plan.preparation.map((trial) => readFailure(folderOf(trial))?.message ?? '')
    assert.match(failures[0]!, refusal)
    for (const message of failures.slice(1)) assert.match(message, /^what it starts from failed, trial /)

    const own = await lockFolder(join(study.settings.out, 'snakemake'))
    await assert.rejects(
      runOnEngine(study, ENGINE, () => []),
      /expected a folder of its own/,
    )
    own()
  })

  test('an interruption stops the jobs, which write a checkpoint first', async (t) => {
    if (unavailable) return t.skip(unavailable)
    const run = runOnEngine(study, ENGINE, () => [])
    const [, before] = await Promise.all([
      assert.rejects(run, /interrupted/),
      checkpoint().then((step) => {
        abortCells()
        return step
      }),
    ])
    beginCell()
    const { step } = loadCheckpoint(join(folderOf(finetune), 'checkpoint.json'))
    assert.ok(step >= before && step < STEPS && steps().at(-1) === step, `stopped behind step ${step}`)
    assert.ok(!existsSync(join(folderOf(finetune), 'lock')))
  })

  test('a killed job continues from its checkpoint, and the sweep ends as with the built-in runner', async (t) => {
    if (unavailable) return t.skip(unavailable)
    const before = steps().length
    const lock = join(folderOf(finetune), 'lock')
    const kill = async () => {
      while (!existsSync(lock) || steps().length < before + 20) await setTimeout(5)
      const pid = Number(readFileSync(lock, 'utf8').split(' ')[0])
      process.kill(pid, 'SIGKILL')
      while (existsSync(`/proc/${pid}`)) await setTimeout(5)
      return { logged: steps().length, step: await checkpoint() }
    }
    const [, { logged, step }] = await Promise.all([
      runOnEngine(study, ENGINE, () => sweepJobs(study)),
      kill(),
    ])
    assert.ok(step > 0 && step < STEPS, `killed behind step ${step}`)
    assert.equal(steps()[logged], step + 1)
    assert.equal(steps().at(-1), STEPS)
    for (const trial of sweepJobs(study)) assert.ok(findTrial(study.runs, trial), trialFolder(trial))
    const ours = compareSweep(sweep, study)

    const builtIn = await tinyStudy('built-in')
    for (const trial of builtIn.plan.preparation) await builtIn.run([trial])
    await builtIn.run(sweepJobs(builtIn))
    const theirs = compareSweep(sweep, builtIn)
    assert.deepEqual(numbers(ours), numbers(theirs))
    for (const trial of [...builtIn.plan.preparation, ...sweepJobs(builtIn)]) {
      const [a, b] = [study, builtIn].map(({ runs }) => findTrial(runs, trial)!)
      assert.equal(a!.metrics.weights, b!.metrics.weights)
      const [detections, expected] = [a!, b!].map((result) =>
        readFileSync(join(result.folder, 'detections.safetensors')),
      )
      assert.ok(detections!.equals(expected!), trialFolder(trial))
    }
  })

  test('a training that diverges stops no other job, and is not tried again', async (t) => {
    if (unavailable) return t.skip(unavailable)
    const hasty = { name: 'hasty', steps: 4, rate: 1e30, recipe: { warmUp: { steps: 0 } } }
    const other = { name: 'other', steps: 3, rate: 0.01 }
    const failing = sweepSchema.parse({ ...sweep, seeds: [1], arms: [...sweep.arms, hasty, other] })
    const jobs = () => {
      const { training, measuring } = sweepTrials(failing, study)
      return [...training, ...measuring]
    }
    await runOnEngine(study, ENGINE, jobs)
    const arms = findArms(failing, study)
    assert.deepEqual(
      arms
        .filter(({ runs }) => runs.length === 0)
        .map(({ name, failed }) => [name, failed?.[0]?.failure.kind]),
      [['hasty', 'diverged']],
    )
    // Only what would be measured of it is left, and that is not begun.
    const since = new Date().toISOString()
    assert.deepEqual(study.jobs(jobs(), { since }).jobs, {})
    const outcomes = await study.attempt(jobs(), { since })
    assert.deepEqual(
      outcomes.flatMap(({ trial, failure }) => (failure ? [[trial.kind, failure.kind]] : [])),
      [
        ['control', 'diverged'],
        ['evaluate', 'error'],
      ],
    )
  })
})

/** A sweep's result without its times. */
function numbers(arms: readonly ArmNumbers[]) {
  return arms.map(({ seconds: _, splits: { validation }, ...rest }) => ({
    ...rest,
    validation: { ...validation, secondsPerImage: undefined },
  }))
}
