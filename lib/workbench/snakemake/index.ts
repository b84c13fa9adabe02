/** Runs trials on Snakemake, an engine for Slurm, Kubernetes and others, when a study outgrows one machine. */

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { interruptSignal, lockFolder, writeAtomically } from '../../base'
import type { Study } from '../../study'
import { failureOf, readFailure, readTrial, type TrialConfig, trialFolder, writeFailure } from '../../trial'
import { pythonProgram, root } from '../project'
import { ensureVenv } from '../venv'
import type { Engine } from './option'

export { type Engine, parseEngine, withEngine } from './option'

/** Options that say where the jobs run and how many at a time. */
const PLACE = /^(-[cje]|--(cores|jobs|executor|profile|workflow-profile)(=|$))/

/** How trials run on the engine. */
export interface EngineRun {
  /** The trials that make what the others start from. Default: the study's own. */
  readonly preparation?: readonly TrialConfig[]
  /** When the command began, as ISO 8601: what has failed since is not tried again. */
  readonly since?: string
}

/**
 * Runs a study's trials on the engine: first those that make teacher and student, whose size determines others, then the
 * rest. Afterwards `Study.attempt` finds them all, finished or failed. Finished trials are left alone; unfinished ones continue
 * from their checkpoint. A failed trial stops only those that start from it, and leaves its record.
 *
 * @param rest the other trials, requested once teacher and student exist
 * @throws Error when the engine ends before all trials have been tried; finished ones stay
 * @throws the interrupt's reason when the work is interrupted, after the running trials have written their checkpoints
 */
export async function runOnEngine(
  study: Study,
  { options }: Engine,
  rest: () => readonly TrialConfig[],
  { preparation = study.plan.preparation, since = new Date().toISOString() }: EngineRun = {},
): Promise<void> {
  await runJobs(study, preparation, { options, since })
  await runJobs(study, rest(), { options, since })
}

async function runJobs(
  study: Study,
  trials: readonly TrialConfig[],
  { options, since }: { readonly options: readonly string[]; readonly since: string },
): Promise<void> {
  const plan = study.jobs(trials, { since })
  if (Object.keys(plan.jobs).length === 0) return
  const program = await snakemakeProgram()
  // Beside the trials, where the Snakefile expects it.
  const folder = path.join(path.dirname(plan.runs), 'snakemake')
  const release = await lockFolder(folder, { signal: interruptSignal() })
  let end: number | string
  try {
    writeAtomically(path.join(folder, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`)
    for (const name of Object.keys(plan.jobs)) rmSync(path.join(plan.runs, name, JOB_LOG), { force: true })
    const isPlaced = options.some((option) => PLACE.test(option))
    const place = isPlaced ? [] : ['--cores', String(study.workers)]
    end = await runSnakemake(program, ['--directory', folder, ...ALWAYS, ...place, ...options])
  } finally {
    release()
  }
  for (const trial of trials) noteEnd(trial, plan.runs)
  // What depends on a trial that failed was not begun, and is written down as failed.
  const left = study.jobs(trials, { since }).jobs
  const missing = Object.keys(plan.jobs).filter((name) => name in left)
  if (missing.length === 0) return
  throw new Error(
    `snakemake ended with ${end}, and these trials were not run: ${missing.join(', ')}. Its messages are above. What is ` +
      'finished is kept, and the same command goes on from there',
  )
}

/** What a job prints, in its trial's folder. */
const JOB_LOG = 'job.log'

/** Writes a failure down of which the job itself could not: it was killed, or never came to the trial. */
function noteEnd(trial: TrialConfig, runs: string): void {
  const folder = path.join(runs, trialFolder(trial))
  const log = path.join(folder, JOB_LOG)
  if (readTrial(folder) || readFailure(folder) || !existsSync(log)) return
  const said = readFileSync(log, 'utf8').trim().split('\n').slice(-LAST_LINES).join('\n')
  writeFailure(folder, failureOf(trial, new Error(said || `its job ended without a word (${log})`)))
}

/** Of a job's output, what its failure says. */
const LAST_LINES = 20

/** Where Snakemake is; it is installed at first use. */
export async function snakemakeProgram(): Promise<string> {
  const programs = await ensureVenv({
    prefix: path.join(root, '.cache', 'snakemake-venv'),
    list: path.join(__dirname, 'requirements.txt'),
    python: pythonProgram('python'),
    title: 'Snakemake and its Slurm executor, about 300 MB',
    otherwise: 'without --engine the trials run on this machine',
    signal: interruptSignal(),
  })
  return path.join(programs, 'snakemake')
}

/** Options placed before the user's own, which override them. */
const ALWAYS = [
  '--snakefile',
  path.join(__dirname, 'Snakefile'),
  // We lock the working directory ourselves, since our lock can be taken over from a killed process.
  '--nolock',
  // metrics.json is complete whenever it exists, whatever became of its job.
  '--ignore-incomplete',
  '--keep-incomplete',
  '--rerun-triggers',
  'mtime',
  // A failed trial stops those that start from it, and no other.
  '--keep-going',
  // Not in the rule, since the Snakemake inside each of a cluster's jobs reads that too.
  '--retries',
  '2',
  '--show-failed-logs',
]

/** Runs Snakemake with its messages on stderr until it and its jobs have ended; how it ended. */
async function runSnakemake(program: string, options: readonly string[]): Promise<number | string> {
  const signal = interruptSignal()
  signal.throwIfAborted()
  // In a process group of its own, so that an interrupt also reaches the jobs on this machine, each exactly once.
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  child.stdout.pipe(process.stderr, { end: false })
  child.stderr.pipe(process.stderr, { end: false })
  const interrupt = () => {
    const hasEnded = child.exitCode !== null || child.signalCode !== null
    if (child.pid !== undefined && !hasEnded) process.kill(-child.pid, 'SIGINT')
  }
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    const end = await new Promise<number | string>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, name) => resolve(code ?? name ?? 'unknown'))
    })
    signal.throwIfAborted()
    return end
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}
