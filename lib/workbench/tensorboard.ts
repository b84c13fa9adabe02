/** Logs of trainings as TensorBoard's event files: loss terms, rate, images a second, evaluations on validation. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { tf } from '../engine'
import type { RunOptions, TrialState } from '../study'
import { readLog, readValidation, type TrialConfig, trialFolder, trialHash } from '../trial'

type Writer = ReturnType<typeof tf.node.summaryFileWriter>

/** Milliseconds between two looks at the log of a running trial. */
const LOOK_MS = 2000

interface Followed {
  readonly writer: Writer
  /** Last steps that are written. */
  logged: number
  evaluated: number
  looked: number
}

/**
 * Writes a folder of events for each trial, named as the trial is called: while it trains, or when it is found. A process
 * writes a trial's events from its first step, in place of what an earlier one wrote.
 */
export class EventFiles {
  readonly #folder: string
  readonly #runs: string
  readonly #nameOf: (trial: TrialConfig) => string
  readonly #followed = new Map<string, Followed>()

  /**
   * @param folder for the events, TensorBoard's `--logdir`
   * @param runs folder of the trials
   */
  constructor(folder: string, runs: string, nameOf: (trial: TrialConfig) => string) {
    this.#folder = folder
    this.#runs = runs
    this.#nameOf = nameOf
  }

  /** Follows trials as they run; pass it their states. */
  readonly follow: NonNullable<RunOptions['onProgress']> = (trial, state) => {
    if (!('training' in trial) || !isLogged(state)) return
    const known = this.#followed.get(trialHash(trial))
    const isOver = state.state !== 'running'
    if (!isOver && known && performance.now() - known.looked < LOOK_MS) return
    this.#write(trial, known ?? this.#open(trial))
  }

  #open(trial: TrialConfig): Followed {
    const hash = trialHash(trial)
    const folder = join(this.#folder, folderName(this.#nameOf(trial), hash))
    rmSync(folder, { recursive: true, force: true })
    const opened = { writer: tf.node.summaryFileWriter(folder), logged: -1, evaluated: -1, looked: 0 }
    this.#followed.set(hash, opened)
    return opened
  }

  #write(trial: TrialConfig, followed: Followed): void {
    const { writer } = followed
    const folder = join(this.#runs, trialFolder(trial))
    for (const { step, ...values } of readLog(folder)) {
      if (step <= followed.logged) continue
      for (const [name, value] of Object.entries(values)) writer.scalar(tagOf(name), value, step)
      followed.logged = step
    }
    for (const { step, mAP50, AP } of readValidation(folder)) {
      if (step <= followed.evaluated) continue
      writer.scalar('validation/mAP@0.5', mAP50, step)
      writer.scalar('validation/COCO AP', AP, step)
      followed.evaluated = step
    }
    writer.flush()
    followed.looked = performance.now()
  }
}

const isLogged = ({ state }: TrialState): boolean =>
  state === 'running' || state === 'finished' || state === 'found' || state === 'failed'

const TAGS: ReadonlyMap<string, string> = new Map([
  ['rate', 'training/learning rate'],
  ['imagesPerSecond', 'training/images a second'],
  ['gradientNorm', 'training/gradient norm'],
])

/** TensorBoard groups by what stands before the slash. */
const tagOf = (name: string): string => TAGS.get(name) ?? `loss/${name.replaceAll('/', ' ')}`

/** A name of a folder that says what the trial is, and is its own. */
const folderName = (name: string, hash: string): string =>
  `${name.replace(/[^\w.()-]+/g, ' ').trim()} ${hash.slice(0, 6)}`
