/** Runs changed files through every reader, in a process that may hang or die. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { root } from '../../lib/workbench/project'
import type { Report } from './worker'

/** What came of a reader's inputs. */
export interface Counts {
  read: number
  /** Refused with an error that names the file. */
  refused: number
  failed: number
}

export interface Failure {
  readonly reader: string
  readonly number: number
  readonly reason: string
  /** Where the input was saved. */
  readonly saved: string
}

export interface Outcome {
  readonly inputs: number
  readonly readers: ReadonlyMap<string, Counts>
  readonly failures: readonly Failure[]
}

export interface FuzzOptions {
  readonly seed: number
  /** Ends after so many inputs, or after so many seconds. */
  readonly inputs?: number
  readonly seconds?: number
  /** Gets the inputs that fail. */
  readonly folder: string
}

/** An input that takes longer, by the clock, has no end; the worker itself judges by its own CPU time. */
const PATIENCE_MS = 120_000
/** Inputs of a process, and its memory in MB: one that is not given back is noticed. */
const [INPUTS, MEMORY] = [20_000, 1500]

/** Runs inputs by their numbers; a failure is saved, and the run goes on. */
export async function fuzz({
  seed,
  inputs = Infinity,
  seconds = Infinity,
  folder,
}: FuzzOptions): Promise<Outcome> {
  const readers = new Map<string, Counts>()
  const failures: Failure[] = []
  const deadline = performance.now() + 1000 * seconds
  let next = 0
  while (next < inputs && performance.now() < deadline) {
    const scratch = mkdtempSync(join(tmpdir(), 'fuzz-'))
    let current: { number: number; reader: string; file: string } | undefined
    const fail = (reason: string) => {
      if (current === undefined)
        throw new Error(`the fuzzing process failed before its first input: ${reason}`)
      const { number, reader, file } = current
      const saved = join(folder, `${seed}-${number}-${reader.replace(/\W+/g, '-')}-${basename(file)}`)
      mkdirSync(folder, { recursive: true })
      if (existsSync(file)) copyFileSync(file, saved)
      failures.push({ reader, number, reason, saved })
      countsOf(readers, reader).failed++
      current = undefined
    }
    const child = startWorker()
    let timer: NodeJS.Timeout | undefined
    const kill = () => void child.kill('SIGKILL')
    child.on('message', (report: Report) => {
      clearTimeout(timer)
      if (report.event === 'begin') {
        current = report
        next = report.number + 1
        timer = setTimeout(kill, PATIENCE_MS)
      } else if (report.event === 'end' && current !== undefined) {
        const { reader } = current
        if (report.failure === undefined) {
          countsOf(readers, reader)[report.outcome]++
          current = undefined
        } else fail(report.failure)
        if (performance.now() > deadline) kill()
      }
    })
    child.send({ scratch, seed, from: next, to: Math.min(next + INPUTS, inputs) })
    const [code, signal] = await once(child, 'exit')
    clearTimeout(timer)
    if (current !== undefined && performance.now() < deadline) fail(`the process ended (${signal ?? code})`)
    rmSync(scratch, { recursive: true, force: true })
  }
  return { inputs: next, readers, failures }
}

function startWorker(): ChildProcess {
  return fork(join(__dirname, 'worker.ts'), {
    execArgv: ['--require', join(root, 'lib/engine/loader.cjs'), `--max-old-space-size=${MEMORY}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
}

function countsOf(readers: Map<string, Counts>, reader: string): Counts {
  const counts = readers.get(reader) ?? { read: 0, refused: 0, failed: 0 }
  readers.set(reader, counts)
  return counts
}
