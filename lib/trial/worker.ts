import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isWarning } from '../base'
import type { TrialProgress } from './trial'

/** Message to a process of trials (see process.ts): a trial's task and folder. */
export interface TrialOrder {
  readonly file: string
  readonly folder: string
}

/** Message to a process that is no longer needed. */
export const NO_MORE = 'end'

/** Messages from the process: a trial's progress, and that it is finished. If a trial fails, the process ends. */
export type TrialReport =
  | { readonly state: 'running'; readonly progress: TrialProgress }
  | { readonly state: 'finished' }

const LOADER = join(__dirname, '../engine/loader.cjs')
const PROGRAM = join(__dirname, 'process.ts')
/** A process older than this is replaced, so that no heap grows old; starting one takes as long as a dozen steps. */
const FRESH_MS = 600_000

/** A process that runs trials one after another, since short ones take less time than starting a process. */
export class TrialWorker {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  readonly #started = performance.now()
  #errors = ''

  constructor(env: Readonly<Record<string, string>>) {
    this.#child = fork(PROGRAM, [], {
      execArgv: ['--require', LOADER],
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000)
    })
    if (this.#child.stderr) {
      createInterface({ input: this.#child.stderr }).on(
        'line',
        (line) => isWarning(line) && console.error(line),
      )
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message))
      this.#child.once('close', (code, signal) =>
        resolve(
          signal === 'SIGKILL' ? 'SIGKILL, perhaps for want of memory' : (signal ?? `exit code ${code}`),
        ),
      )
    })
  }

  /** Whether it should get another trial. */
  get isFresh(): boolean {
    return performance.now() - this.#started < FRESH_MS
  }

  /**
   * Runs a trial to its end; one at a time.
   *
   * @returns undefined, or how the process ended and its last output, if it ended before the trial
   */
  async run(
    order: TrialOrder,
    onProgress: (progress: TrialProgress) => void,
  ): Promise<{ end: string; errors: string } | undefined> {
    this.#errors = ''
    const child = this.#child
    child.removeAllListeners('message') // from the previous trial
    const finished = new Promise<undefined>((resolve) => {
      child.on('message', (report: TrialReport) => {
        if (report.state === 'running') onProgress(report.progress)
        else resolve(undefined)
      })
    })
    // A process that has already ended takes no message, but reports how it ended.
    child.send(order, () => undefined)
    return Promise.race([finished, this.#ended.then((end) => ({ end, errors: this.#errors }))])
  }

  /** Asks the running trial to write its checkpoint and stop. */
  stop(): void {
    this.#child.kill('SIGTERM')
  }

  /** Ends the process; resolves when it has ended. */
  async end(): Promise<void> {
    // Let the process disconnect, not this one: Node reports a closed channel only to the end that did not close it.
    this.#child.send(NO_MORE, () => undefined)
    await this.#ended
  }
}
