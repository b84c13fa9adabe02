/** Runs trials on Snakemake, an engine for Slurm, Kubernetes and others, when a study outgrows one machine. */

import { spawn } from 'node:child_process'
import path from 'node:path'
import { interruptSignal, lockFolder, writeAtomically } from '../../base'
import type { Study } from '../../study'
import { readTrial, type TrialConfig } from '../../trial'
import { pythonProgram, root } from '../project'
import { ensureVenv } from '../venv'
import type { Engine } from './option'

export { type Engine, parseEngine, withEngine } from './option'

/** Options that say where the jobs run and how many at a time. */
const PLACE = /^(-[cje]|--(cores|jobs|executor|profile|workflow-profile)(=|$))/

/**
 * Runs a study's trials on the engine: first those that make teacher and student, whose size determines others, then the
 * rest. Afterwards `Study.run` finds them all. Finished trials are left alone; unfinished ones continue from their
 * checkpoint.
 *
 * @param rest the other trials, requested once teacher and student exist
 * @param preparation the trials that make these. Default: the study's own
 * @throws Error when the engine ends before all trials are finished; finished ones stay
 * @throws the interrupt's reason when the work is interrupted, after the running trials have written their checkpoints
 */
export async function runOnEngine(
  study: Study,
  { options }: Engine,
  rest: () => readonly TrialConfig[],
  preparation: readonly TrialConfig[] = study.plan.preparation,
): Promise<void> {
  await runJobs(study, preparation, options)
  await runJobs(study, rest(), options)
}

async function runJobs(
  study: Study,
  trials: readonly TrialConfig[],
  options: readonly string[],
): Promise<void> {
  const plan = study.jobs(trials)
  if (Object.keys(plan.jobs).length === 0) return
  const program = await snakemakeProgram()
  // Beside the trials, where the Snakefile expects it.
  const folder = path.join(path.dirname(plan.runs), 'snakemake')
  const release = await lockFolder(folder, { signal: interruptSignal() })
  try {
    writeAtomically(path.join(folder, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`)
    const isPlaced = options.some((option) => PLACE.test(option))
    const place = isPlaced ? [] : ['--cores', String(study.profile.workers)]
    await runSnakemake(program, ['--directory', folder, ...ALWAYS, ...place, ...options])
  } finally {
    release()
  }
  const missing = Object.keys(plan.jobs).filter((name) => !readTrial(path.join(plan.runs, name)))
  if (missing.length > 0) {
    throw new Error(`snakemake ended, but these trials are not finished: ${missing.join(', ')}`)
  }
}

/** Path of Snakemake, which is installed at first use. */
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
  // Not in the rule, since the Snakemake inside each of a cluster's jobs reads that too.
  '--retries',
  '2',
  '--show-failed-logs',
]

/** Runs Snakemake with its messages on stderr until it and its jobs have ended. */
async function runSnakemake(program: string, options: readonly string[]): Promise<void> {
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
    if (end !== 0) {
      throw new Error(
        `snakemake ended with ${end}; its messages are above, a trial's are in the job.log of its folder. Finished trials ` +
          'are kept, and the same command continues from there',
      )
    }
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}
