import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { TrialProgress } from './trial'

/** What a process of trials is sent (see process.ts): a trial's task, and the trial's own folder. */
export interface TrialOrder {
  readonly file: string
  readonly folder: string
}

/** What it is sent when it is needed no longer. */
export const NO_MORE = 'end'

/** What the process answers: how far the trial is, and that it is finished. Where a trial fails, the process ends. */
export type TrialReport =
  | { readonly state: 'running'; readonly progress: TrialProgress }
  | { readonly state: 'finished' }

const LOADER = join(__dirname, '../engine/loader.cjs')
const PROGRAM = join(__dirname, 'process.ts')
/** A process that has worked for so long is replaced: to start one costs little then, and a heap that is old more. */
const FRESH_MS = 60_000

/** A process that runs trials one after another: short ones need less time than a process takes to start. */
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
   * @returns undefined, or how the process ended and the last that it said, when it ended before the trial
   */
  async run(
    order: TrialOrder,
    onProgress: (progress: TrialProgress) => void,
  ): Promise<{ end: string; errors: string } | undefined> {
    this.#errors = ''
    const child = this.#child
    child.removeAllListeners('message') // that of the trial before
    const finished = new Promise<undefined>((resolve) => {
      child.on('message', (report: TrialReport) => {
        if (report.state === 'running') onProgress(report.progress)
        else resolve(undefined)
      })
    })
    // One that has ended already takes no message, and says how it ended.
    child.send(order, () => undefined)
    return Promise.race([finished, this.#ended.then((end) => ({ end, errors: this.#errors }))])
  }

  /** Asks the trial that runs to write its checkpoint and to stop. */
  stop(): void {
    this.#child.kill('SIGTERM')
  }

  /** Lets the process go; resolves when it has ended. */
  async end(): Promise<void> {
    // The process disconnects and not this one: Node tells the close of a channel to the end that did not ask for it.
    this.#child.send(NO_MORE, () => undefined)
    await this.#ended
  }
}
