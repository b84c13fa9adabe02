import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { jobPlanSchema, planJobs } from '../../lib/study'
import { refTo, taskSchema, trialFolder, trialHash, trialSchema } from '../../lib/trial'
import { temporary } from '../train/tiny'
import { finishTrial, TINY_SOURCE, teacherTrial, tinyTraining } from './tiny'

const dataset: Dataset = { name: 'imagined', classes: ['a'], hash: 'abc', splits: {} }
const data = { hash: dataset.hash }
const [first, second] = [teacherTrial(dataset, 1, 1), teacherTrial(dataset, 1, 2)]
const distilled = trialSchema.parse({
  kind: 'distill',
  data,
  start: refTo(first),
  teacher: refTo(second),
  training: tinyTraining(1),
  terms: [{ method: 'objectness-mse', weight: 1 }],
})
const evaluated = trialSchema.parse({
  kind: 'evaluate',
  data,
  start: refTo(distilled),
  split: 'test',
  batch: 1,
  precision: 'float32',
})
const [a, b, c, d] = [trialFolder(first), trialFolder(second), trialFolder(distilled), trialFolder(evaluated)]

const optionsIn = (runs: string) => ({
  runs,
  cache: '/cache',
  source: TINY_SOURCE,
  checkpointEvery: 10,
  logEvery: 1,
})

test('every trial is a job after those whose models it loads, with its task written', () => {
  const runs = join(temporary(), 'trials')
  const plan = planJobs([evaluated, distilled, second, first, second], optionsIn(runs))
  assert.deepEqual(plan.jobs, { [a]: [], [b]: [], [c]: [a, b], [d]: [c] })
  assert.equal(plan.runs, runs)
  const { document: __, ...task } = JSON.parse(readFileSync(join(runs, c, plan.task), 'utf8'))
  const { runs: _, ...told } = optionsIn(runs)
  assert.deepEqual(taskSchema.parse(task), { trial: distilled, ...told })
})

test('finished trials are not jobs, and no job waits for them', () => {
  const runs = temporary()
  for (const trial of [first, distilled]) {
    finishTrial(runs, trial, 0.5)
    writeFileSync(join(runs, trialFolder(trial), 'model.json'), '{}')
  }
  assert.deepEqual(planJobs([first, second, distilled, evaluated], optionsIn(runs)).jobs, {
    [b]: [],
    [d]: [],
  })
  assert.ok(!existsSync(join(runs, a, 'task.json')))
})

test('a trial whose model no trial makes is named', () => {
  const runs = temporary()
  assert.throws(
    () => planJobs([first, distilled], optionsIn(runs)),
    (error: Error) => {
      assert.ok(
        error.message.startsWith(`${c}: expected trial ${trialHash(second).slice(0, 12)} `),
        error.message,
      )
      return true
    },
  )
  const plan = { format: 'trial-jobs/2', node: 'node', runs, task: 'task.json', threads: 'THREADS' }
  const { error } = jobPlanSchema.safeParse({ ...plan, jobs: { [a]: [b] } })
  assert.equal(error?.issues[0]?.message, `expected names of jobs, found ${b}`)
})
