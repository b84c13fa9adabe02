/** Kills a study at random moments until it has ended, and holds its numbers against those of one that nobody has killed. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random, sha256 } from '../../lib/base'
import { FILES, type Metrics, readTrials } from '../../lib/trial'

const LOADER = join(__dirname, '../../lib/engine/loader.cjs')
const PROGRAM = join(__dirname, 'study.ts')

/** How a process of the study ended. */
interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly seconds: number
  /** The last that it said. */
  readonly last: string
  readonly errors: string
}

export interface KillOptions {
  /** Kills in all, over as many studies as that takes. */
  readonly times: number
  readonly seed: number
  /** Where the studies lie. */
  readonly folder: string
  /** Called for each kill: how long the process had run, and the last that it had said. */
  readonly onKill?: (kill: {
    readonly number: number
    readonly seconds: number
    readonly last: string
  }) => void
}

export interface Killed {
  readonly kills: number
  /** Studies that were killed and ended, each with the numbers of the undisturbed one. */
  readonly studies: number
  /** What the undisturbed one took. */
  readonly seconds: number
  /** Trials whose numbers were compared, in each study. */
  readonly trials: number
}

/**
 * Runs a study undisturbed, then others whose processes are all killed by SIGKILL at moments that a seed draws, each started
 * again until it has ended.
 *
 * @throws AssertionError where a number, a hash or a file is another one than in the undisturbed study
 */
export async function killStudies({ times, seed, folder, onKill }: KillOptions): Promise<Killed> {
  const random = new Random('kill', seed)
  const whole = await toItsEnd(join(folder, 'undisturbed'))
  const expected = numbersOf(join(folder, 'undisturbed'))
  let [kills, studies] = [0, 0]
  while (kills < times) {
    const place = join(folder, `killed-${studies + 1}`)
    for (;;) {
      // The last kill is followed by a run to the end.
      const after = kills < times ? random.uniform(0, 0.7 * whole.seconds) : undefined
      const ended = await run(place, after)
      if (ended.signal !== 'SIGKILL') {
        assertEnded(place, ended)
        break
      }
      kills++
      onKill?.({ number: kills, seconds: ended.seconds, last: ended.last })
    }
    assert.deepEqual(numbersOf(place), expected, place)
    assert.deepEqual(leftIn(place), [], `${place}: what is left`)
    studies++
  }
  return { kills, studies, seconds: whole.seconds, trials: Object.keys(expected.trials).length }
}

async function toItsEnd(folder: string): Promise<Ended> {
  const ended = await run(folder, undefined)
  assertEnded(folder, ended)
  return ended
}

function assertEnded(folder: string, { status, errors }: Ended): void {
  assert.equal(status, 0, `${folder}: expected a study that ends, found: ${errors}`)
}

/** Runs the study's program to its end, or kills it and all that it has started after so many seconds. */
async function run(folder: string, after: number | undefined): Promise<Ended> {
  const started = performance.now()
  const child = spawn(process.execPath, ['--require', LOADER, PROGRAM, folder], {
    detached: true, // so that its processes are a group of their own
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [last, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    last = text.trimEnd().split('\n').at(-1) ?? ''
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000)
  })
  const timer = after === undefined ? undefined : setTimeout(() => killGroup(child), 1000 * after)
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  return { status, signal, seconds: (performance.now() - started) / 1000, last, errors }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL')
}

/** All that must be the same: every trial's metrics but for times, its detections' hash, and the data's. */
function numbersOf(folder: string): { readonly trials: Record<string, object>; readonly scenes: string } {
  const trials = readTrials(join(folder, 'out/trials')).map(({ folder: of, metrics }) => {
    const detections = sha256(readFileSync(join(of, FILES.detections)))
    return [metrics.hash, { ...withoutTimes(metrics), detections }] as const
  })
  const scenes = readdirSync(join(folder, 'cache/data'))
  const manifest = readFileSync(join(folder, 'cache/data', scenes[0] ?? '', 'manifest.json'), 'utf8')
  return { trials: Object.fromEntries(trials), scenes: manifest }
}

function withoutTimes({ evaluation, training, provenance, ...metrics }: Metrics): object {
  const { secondsPerImage: _, ...evaluated } = evaluation
  const { seconds: __, waitedShare: ___, peakBytes: ____, ...trained } = training ?? {}
  const { finished: _____, ...origin } = provenance
  return { ...metrics, evaluated, trained, origin }
}

/** Files of work that is not done, in any folder of a study. */
function leftIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tmp$|(^|\/)lock\b|(^|\/)(checkpoint|best-|labels-)/.test(name),
  )
}
