import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Dataset } from '../../lib/data'
import { THREADS } from '../../lib/engine'
import type { RunOptions } from '../../lib/study'
import { resultsOf, runSideBySide } from '../../lib/study/runner'
import { loadCheckpoint } from '../../lib/train'
import {
  forgetFailures,
  readFailure,
  readTrial,
  refTo,
  type TrialConfig,
  trialFolder,
  trialSchema,
  writeTask,
} from '../../lib/trial'
import { temporary, tinyConfig, tinyDetector, tinyWeights } from '../train/tiny'
import { placeModel, TINY_SOURCE, teacherTrial, tinyData, tinyTraining } from './tiny'

const cache = temporary()
const LOADER = join(__dirname, '../../lib/engine/loader.cjs')
const COMMAND_LINE = join(__dirname, '../../lib/workbench/cli.ts')
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

/** Runs trials and records the events of each. */
function start(trials: readonly TrialConfig[], runs: string, options: Partial<RunOptions> = {}) {
  const states: string[] = []
  const outcomes = runSideBySide(trials, {
    runs,
    cache,
    source: TINY_SOURCE,
    workers: 2,
    checkpointEvery: 100,
    logEvery: 10,
    ...options,
    onProgress: (trial, state) => {
      if (state.state !== 'running') states.push(`${trialFolder(trial)} ${state.state}`)
      options.onProgress?.(trial, state)
    },
  })
  // A failure of it is for those who ask for results.
  const results = outcomes.then((all) => resultsOf(all))
  results.catch(() => undefined)
  return { outcomes, results, states }
}

/** A trial that needs no training. */
function evaluation(runs: string, split: string, steps = 1): TrialConfig {
  const start = placeModel(runs, String(steps).repeat(64), {
    network: tinyDetector(),
    weights: tinyWeights(steps),
  })
  const data = { hash: dataset.hash }
  return trialSchema.parse({ kind: 'evaluate', data, start, split, batch: 3, precision: 'float32' })
}

test('trials run side by side, come back in order, and are found the next time', async () => {
  const runs = join(temporary(), 'new/trials')
  const [a, b] = [evaluation(runs, 'validation'), evaluation(runs, 'test')]
  const first = start([a, b, a], runs)
  const results = await first.results
  assert.deepEqual(
    results.map(({ config }) => config),
    [a, b, a],
  )
  assert.deepEqual(
    [...first.states].sort(),
    [a, b]
      .flatMap((trial) => ['finished', 'started'].map((state) => `${trialFolder(trial)} ${state}`))
      .sort(),
  )
  for (const { folder } of results) assert.ok(!existsSync(join(folder, 'lock')))

  const second = start([b, a], runs)
  assert.deepEqual(await second.results, [results[1], results[0]])
  assert.deepEqual(second.states, [`${trialFolder(b)} found`, `${trialFolder(a)} found`])
})

const RATE = 1e30

/** A training that diverges at its second step. */
function diverging(steps = 4, rate = RATE): TrialConfig {
  const training = tinyTraining(steps)
  const recipe = { ...training.recipe, schedule: { kind: 'cosine', final: 1 }, warmUp: { steps: 0, from: 1 } }
  return trialSchema.parse({
    kind: 'teacher',
    data: { hash: dataset.hash },
    detector: tinyConfig(),
    training: { ...training, rate, recipe },
  })
}

const evaluationOf = (trial: TrialConfig): TrialConfig =>
  trialSchema.parse({
    ...{ kind: 'evaluate', data: { hash: dataset.hash }, start: refTo(trial) },
    ...{ split: 'test', batch: 3, precision: 'float32' },
  })

test('a trial that fails leaves its reason, takes along what starts from it, and stops no other', async () => {
  const runs = temporary()
  const [broken, sound] = [diverging(), teacherTrial(dataset, 2)]
  const missing = trialSchema.parse({
    kind: 'finetune',
    data: { hash: dataset.hash },
    start: { trial: 'f'.repeat(64) },
    training: tinyTraining(1),
  })
  const [after, other] = [broken, sound].map(evaluationOf) as [TrialConfig, TrialConfig]
  const { outcomes, results, states } = start([broken, missing, after, sound, other], runs)
  const found = await outcomes
  assert.deepEqual(
    found.map(({ result, failure }) => (result ? 'finished' : failure?.kind)),
    ['diverged', 'error', 'error', 'finished', 'finished'],
  )
  const [diverged, error, dependent] = found.map(({ failure }) => failure)
  assert.ok(diverged?.kind === 'diverged')
  assert.equal(diverged.step, 2)
  assert.match(diverged.what, /^\w+ is (NaN|-?Infinity)$/)
  assert.ok(Object.values(diverged.values).some((value) => typeof value === 'string'))
  assert.match(diverged.advice, /lower the learning rate \(1e\+30 at this step\), or clip gradients/)
  assert.match(error!.message, /expected a finished trial f{12}, found none; run it first/)
  assert.match(dependent!.message, /^what it starts from failed, trial [0-9a-f]{12}: diverged at step 2: /)
  assert.deepEqual(readFailure(join(runs, trialFolder(broken))), diverged)
  assert.ok(!states.includes(`${trialFolder(after)} started`))
  await assert.rejects(results, (thrown: Error) => {
    assert.equal(thrown.name, 'TrialsFailed')
    assert.ok(thrown.message.startsWith(`trial ${trialFolder(broken)} failed: training diverged: `))
    return true
  })
})

test('a training that diverged is not repeated until that is asked for; what else failed is tried again', async () => {
  const runs = temporary()
  const broken = diverging()
  const started = `${trialFolder(broken)} started`
  assert.ok((await count(broken)) === 1 && (await count(broken)) === 0)
  forgetFailures(runs)
  assert.equal(await count(broken), 1)
  // With another rate it is another trial.
  const mended = diverging(4, 0.02)
  assert.equal((await start([mended], runs).results).length, 1)

  const late = evaluationOf(teacherTrial(dataset, 2))
  const [first] = await start([late], runs).outcomes
  assert.match(first!.failure!.message, /expected a finished trial/)
  const since = new Date(0).toISOString()
  assert.deepEqual((await start([late], runs, { since }).outcomes)[0]!.failure, first!.failure)
  await start([teacherTrial(dataset, 2)], runs).results
  const [again] = await start([late], runs).outcomes
  assert.ok(again!.result && readFailure(join(runs, trialFolder(late))) === undefined)

  async function count(trial: TrialConfig): Promise<number> {
    const { outcomes, states } = start([trial], runs)
    assert.equal((await outcomes)[0]!.failure?.kind, 'diverged')
    return states.filter((state) => state === started).length
  }
})

test('a trial whose process is killed fails with how it ended, and the next one has a process of its own', async () => {
  const runs = temporary()
  const [long, short] = [teacherTrial(dataset, 100_000), teacherTrial(dataset, 1, 2)]
  let isKilled = false
  const kill = (trial: TrialConfig) => {
    const lock = join(runs, trialFolder(trial), 'lock')
    if (isKilled || trial !== long || !existsSync(lock)) return
    isKilled = true
    process.kill(Number(readFileSync(lock, 'utf8').split(' ')[0]), 'SIGKILL')
  }
  const { outcomes } = start([long, short], runs, { workers: 1, onProgress: kill })
  const [killed, other] = await outcomes
  assert.match(killed!.failure!.message, /SIGKILL, perhaps for want of memory/)
  assert.ok(other!.result)
})

/** Collects the processes that run trials for this one; `note` looks for them. */
function watchProcesses() {
  const processes = new Set<string>()
  const note = () => {
    const { stdout } = spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], {
      encoding: 'utf8',
    })
    for (const line of stdout.split('\n').filter((text) => text.endsWith('trial/process.ts'))) {
      processes.add(line.trim().split(' ')[0]!)
    }
  }
  return { processes, note }
}

test('a trial runs after the one of the same call that it starts from, and short ones share a process', async (t) => {
  // Even on a busy machine this takes less than a minute.
  t.mock.method(performance, 'now', () => 0)
  const [together, alone] = [temporary(), temporary()]
  const [first, second] = [teacherTrial(dataset, 2, 1), teacherTrial(dataset, 2, 2)]
  const after = trialSchema.parse({
    kind: 'evaluate',
    data: { hash: dataset.hash },
    start: refTo(second),
    split: 'test',
    batch: 3,
    precision: 'float32',
  })
  const { processes, note } = watchProcesses()
  const { results, states } = start([after, first, second], together, { workers: 1, onProgress: note })
  const [, , found] = await results
  assert.deepEqual(
    states,
    [first, second, after].flatMap((trial) =>
      ['started', 'finished'].map((state) => `${trialFolder(trial)} ${state}`),
    ),
  )
  assert.equal(processes.size, 1)
  const [expected] = await start([second], alone, { workers: 1 }).results
  assert.equal(found!.metrics.weights, expected!.metrics.weights)
})

test('a process that has worked for more than ten minutes is replaced before the next trial', async (t) => {
  const now = performance.now.bind(performance)
  let elapsed = 0
  t.mock.method(performance, 'now', () => now() + elapsed)
  const { processes, note } = watchProcesses()
  const onProgress: RunOptions['onProgress'] = (_, { state }) => {
    note()
    if (state === 'finished') elapsed += 601_000
  }
  const trials = [teacherTrial(dataset, 2, 1), teacherTrial(dataset, 2, 2)]
  await start(trials, temporary(), { workers: 1, onProgress }).results
  assert.equal(processes.size, 2)
})

/** A process that takes the folder of all trials, announces one, and may run it. */
function otherProcess(runs: string, trial: TrialConfig, { isRun }: { isRun: boolean }): ChildProcess {
  const [base, runner] = ['../../lib/base', '../../lib/study/runner'].map((file) => join(__dirname, file))
  const options = { runs, cache, source: TINY_SOURCE, workers: 1, checkpointEvery: 100, logEvery: 1 }
  const program = `
    const { lockFolder } = require(${JSON.stringify(base)})
    const { announceTrials, runSideBySide } = require(${JSON.stringify(runner)})
    const trial = ${JSON.stringify(trial)}
    lockFolder(${JSON.stringify(runs)}).then(async (release) => {
      announceTrials(${JSON.stringify(runs)}, [trial])
      console.log('taken')
      setInterval(() => {}, 1000)
      if (!${isRun}) return
      await runSideBySide([trial], ${JSON.stringify(options)})
      release()
      process.exit()
    })`
  return spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

test('a trial that another process has announced is waited for, with its progress', async () => {
  const runs = temporary()
  const trial = teacherTrial(dataset, 40)
  const other = otherProcess(runs, trial, { isRun: true })
  await once(other.stdout!, 'data')
  const steps: number[] = []
  const { results, states } = start([trial], runs, {
    onProgress: (_, state) => {
      if (state.state === 'running' && state.progress.phase === 'training')
        steps.push(state.progress.progress.step)
    },
  })
  const [result] = await results
  assert.equal(result!.metrics.training!.steps, 40)
  assert.deepEqual(states, [`${trialFolder(trial)} waiting`, `${trialFolder(trial)} finished`])
  assert.ok(steps.length > 0 && steps.every((step) => step > 0 && step <= 40), String(steps))
  assert.deepEqual(
    steps,
    [...steps].sort((a, b) => a - b),
  )
})

test('a trial that another process announced but did not run is run once that process is gone, others at once', async () => {
  const runs = temporary()
  const trial = evaluation(runs, 'validation')
  const other = otherProcess(runs, trial, { isRun: false })
  await once(other.stdout!, 'data')
  const interruption = new AbortController()
  const reason = new Error('interrupted')
  const interrupted = start([trial], runs, { signal: interruption.signal })
  while (interrupted.states.length === 0) await setTimeout(20)
  interruption.abort(reason)
  await assert.rejects(interrupted.results, (error) => error === reason)
  assert.deepEqual(interrupted.states, [`${trialFolder(trial)} waiting`])

  const { results, states } = start([trial], runs)
  const another = evaluation(runs, 'test')
  const meanwhile = start([another], runs)
  await meanwhile.results
  assert.deepEqual(
    meanwhile.states,
    ['started', 'finished'].map((state) => `${trialFolder(another)} ${state}`),
  )
  assert.deepEqual(states, [`${trialFolder(trial)} waiting`])
  other.kill('SIGKILL')
  await results
  assert.deepEqual(
    states,
    ['waiting', 'started', 'finished'].map((state) => `${trialFolder(trial)} ${state}`),
  )
})

test('an interruption stops the processes, which write a checkpoint first', async () => {
  const runs = temporary()
  const trial = teacherTrial(dataset, 100_000)
  const interruption = new AbortController()
  const reason = new Error('interrupted')
  let seen = 0
  const { results } = start([trial], runs, {
    signal: interruption.signal,
    onProgress: (_, state) => {
      if (state.state !== 'running' || state.progress.phase !== 'training') return
      seen = state.progress.progress.step
      interruption.abort(reason)
    },
  })
  await assert.rejects(results, (error) => error === reason)
  const folder = join(runs, trialFolder(trial))
  assert.ok(seen > 0 && loadCheckpoint(join(folder, 'checkpoint.json')).step >= seen)
  assert.equal(readTrial(folder), undefined)
  assert.ok(!existsSync(join(folder, 'lock')))

  const { results: refused, states } = start([trial], runs, { signal: AbortSignal.abort(reason) })
  await assert.rejects(refused, (error) => error === reason)
  assert.deepEqual(states, [])
})

test('a trial whose study is killed writes its checkpoint and ends', async () => {
  const runs = temporary()
  const trial = teacherTrial(dataset, 100_000)
  const folder = join(runs, trialFolder(trial))
  const study = otherProcess(runs, trial, { isRun: true })
  const isAtWork = () => existsSync(join(folder, 'lock'))
  while (!existsSync(join(folder, 'log.jsonl'))) await setTimeout(50)
  assert.ok(isAtWork())
  study.kill('SIGKILL')
  await once(study, 'exit')
  for (const until = Date.now() + 20_000; isAtWork() && Date.now() < until; ) await setTimeout(50)
  assert.ok(!isAtWork())
  assert.ok(loadCheckpoint(join(folder, 'checkpoint.json')).step > 0)
})

test('a killed trial continues from its checkpoint and ends with the weights of one that was not', async () => {
  const [undisturbed, disturbed] = [temporary(), temporary()]
  const trial = teacherTrial(dataset, 60)
  const folder = join(disturbed, trialFolder(trial))
  writeTask(trial, { runs: disturbed, source: TINY_SOURCE, cache, checkpointEvery: 10, logEvery: 1 })
  const command = [
    '--require',
    LOADER,
    COMMAND_LINE,
    'trial',
    '--config',
    join(folder, 'task.json'),
    '--out',
    folder,
  ]
  const env = { ...process.env, [THREADS]: '1' }
  const child = spawn(process.execPath, command, { env, stdio: 'ignore' })
  const end = once(child, 'exit')
  while (!existsSync(join(folder, 'checkpoint.json'))) await setTimeout(5)
  child.kill('SIGKILL')
  await end
  const { step } = loadCheckpoint(join(folder, 'checkpoint.json'))
  assert.ok(step > 0 && step < 60, `killed behind step ${step}`)
  assert.ok(!existsSync(join(folder, 'metrics.json')) && existsSync(join(folder, 'lock')))
  const steps = () =>
    readFileSync(join(folder, 'log.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).step as number)
  const before = steps().length

  // Beside it, the same trial from beginning to end.
  const whole = start([trial], undisturbed)
  const { status, stderr, stdout } = await finished(command, env)
  assert.equal(status, 0, stderr)
  assert.match(stdout, /validation mAP@0\.5 \d\.\d{4}/)
  assert.equal(steps()[before], step + 1)
  assert.equal(steps().at(-1), 60)
  const [expected] = await whole.results
  const found = readTrial(folder)!
  assert.equal(found.metrics.weights, expected!.metrics.weights)
  assert.deepEqual(found.metrics.training!.last, expected!.metrics.training!.last)
  const { secondsPerImage: _, ...numbers } = found.metrics.evaluation
  const { secondsPerImage: __, ...expectedNumbers } = expected!.metrics.evaluation
  assert.deepEqual(numbers, expectedNumbers)
})

async function finished(command: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [status] = await once(child, 'close')
  return { status, stdout, stderr }
}

test('the command names what is wrong with its task', () => {
  const folder = temporary()
  const file = join(folder, 'task.json')
  const errors = () => {
    const words = [
      '--require',
      'tsx/cjs',
      COMMAND_LINE,
      'trial',
      '--config',
      file,
      '--out',
      join(folder, 'out'),
    ]
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
    assert.equal(status, 1)
    return stderr
  }
  writeFileSync(file, JSON.stringify({ trial: { kind: 'teacher' }, source: TINY_SOURCE, logEvery: 0 }))
  const text = errors()
  assert.ok(text.includes(`${file}: expected a trial:`), text)
  for (const key of ['trial.data', 'trial.training', 'cache', 'checkpointEvery', 'logEvery'])
    assert.match(text, new RegExp(`  at "${key.replace('.', '\\.')}": `))
  assert.ok(!existsSync(join(folder, 'out')))
})
