/** What the host does for a step while the device waits for it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLoader, generateScenes, type Sample, scenesSchema } from '../../lib/data'
import {
  type Convolution,
  Detector,
  darknet21,
  headsOf,
  type Layer,
  type NetworkSpec,
  scaledWidths,
} from '../../lib/detector'
import { nativeBackend } from '../../lib/engine'
import { assignTargets } from '../../lib/losses'
import { loadProfile } from '../../lib/study'
import { train } from '../../lib/train'
import type { Answer, Request } from './protocol'
import { spread } from './rounds'

type HostRequest = Extract<Request, { op: 'host' }>
type Clocks = Answer<'host'>['assign']

/** Runs before those that count, in which V8 compiles what a long training runs compiled. */
const WARM_UP = 30
const CLASSES = 8

/** Clocks of the calling thread, in seconds. */
interface Moment {
  /** Of computation, including what the system does for it. */
  readonly cpu: number
  /** Of wall time, without waiting for events such as the next batch. */
  readonly wall: number
}

/** The main thread's clocks. */
function moment(): Moment {
  // Brings the kernel's count of the running thread up to date, which else happens at its ticks.
  process.cpuUsage()
  // Nanoseconds on a processor come first, see sched-stats in Linux's documentation.
  const [nanoseconds] = readFileSync('/proc/self/schedstat', 'utf8').split(' ')
  return { cpu: Number(nanoseconds) / 1e9, wall: performance.eventLoopUtilization().active / 1000 }
}

function clocksOf(spans: readonly (readonly [Moment, Moment])[]): Clocks {
  const of = (clock: keyof Moment) => spread(spans.map(([from, to]) => to[clock] - from[clock]))
  return { cpu: of('cpu'), wall: of('wall') }
}

async function timed(repeats: number, body: (i: number) => unknown): Promise<Clocks> {
  const spans: [Moment, Moment][] = []
  for (let i = 0; i < repeats; i++) {
    const from = moment()
    await body(i)
    spans.push([from, moment()])
  }
  return clocksOf(spans)
}

/** Layers of the published teacher that are trained. */
const LAYERS = 46

/**
 * A network with the published one's heads and number of layers that computes next to nothing, so that a CPU can do many steps: what
 * the host does for a step depends on neither.
 */
function slightNetwork(input: readonly [number, number]): NetworkSpec {
  const { anchors } = loadProfile('paper').detector
  if (typeof anchors === 'string') throw new Error('profile paper: expected anchors, found none')
  const part = 'backbone' as const
  const conv = (name: string, from: string, stride: number, more: Partial<Convolution> = {}): Layer => ({
    ...{ kind: 'convolution', name, part, from, kernel: stride, stride, padding: 0, groups: 1, out: 4 },
    ...{ batchNorm: true, activation: 'leaky' },
    ...more,
  })
  const trunk = ['s8', 's16', 's32'].map((name, i) =>
    conv(name, ['images', 's8', 's16'][i]!, i === 0 ? 8 : 2),
  )
  const rest = Array.from({ length: LAYERS - 6 }, (_, i) => conv(`c${i}`, i === 0 ? 's32' : `c${i - 1}`, 1))
  const heads = [rest.at(-1)!.name, 's16', 's8'].flatMap((from, i): Layer[] => {
    const [name, own] = [`head/${i + 1}`, anchors[i]!]
    const logits = { out: own.length * (5 + CLASSES), batchNorm: false, activation: 'linear' } as const
    return [
      conv(`${name}/logits`, from, 1, logits),
      {
        kind: 'yolo',
        name,
        part: 'head',
        from: `${name}/logits`,
        anchors: own,
        classes: CLASSES,
        scaleXY: 2,
      },
    ]
  })
  return { input, channels: 3, layers: [...trunk, ...rest, ...heads], features: {} }
}

/** Notes when graphs run, until it is stopped. */
function watchRuns() {
  const backend = nativeBackend()
  const real = backend.binding
  const runs: [Moment, Moment][] = []
  const runSavedModel: typeof real.runSavedModel = (...words) => {
    const from = moment()
    const results = real.runSavedModel(...words)
    runs.push([from, moment()])
    return results
  }
  backend.binding = Object.create(real, Object.getOwnPropertyDescriptors({ runSavedModel }))
  const stop = () => {
    backend.binding = real
  }
  return { runs, stop }
}

/**
 * Trains a network for some steps.
 * @returns clocks of a run of the step's graph, and of everything that the training's thread does from one run to the next
 */
async function watchTraining(
  network: NetworkSpec,
  samples: readonly Sample[],
  { batch, workers, repeats, precision }: HostRequest,
): Promise<Pick<Answer<'host'>, 'run' | 'between'>> {
  // The loss of the benchmark's other steps, so that a card finds the graph compiled.
  const { recipe } = loadProfile('default')
  const { recipe: published, logEvery } = loadProfile('paper')
  const detector = Detector.create(network, 1)
  const directory = mkdtempSync(join(tmpdir(), 'host-'))
  const { runs, stop } = watchRuns()
  const steps = WARM_UP + repeats + 1
  try {
    await train(
      detector,
      samples,
      {
        ...recipe,
        ...{ steps, batch, seed: 1, assign: published.assign, augment: atFullSize(published.augment) },
        schedule: { kind: 'cosine', rate: 1e-4, final: 1 },
        ...{ precision, eager: false, workers, checkpointEvery: steps, logEvery },
      },
      {
        directory,
        classes: Array.from({ length: detector.config.classes }, (_, i) => `class ${i}`),
      },
    )
  } finally {
    stop()
    detector.dispose()
    rmSync(directory, { recursive: true, force: true })
  }
  // The first of them initialises the state.
  const counted = runs.slice(1 + WARM_UP, 1 + steps)
  const gaps = counted.slice(1).map(([from], i): [Moment, Moment] => [counted[i]![1], from])
  return { run: clocksOf(counted), between: clocksOf(gaps) }
}

/** Without changes of size, so that every batch takes the same work. */
function atFullSize<A extends object>(augment: A | false): (A & { readonly multiScale: false }) | false {
  return augment && { ...augment, multiScale: false }
}

/**
 * Times, with the frames, the augmentation and the assignment of profile `paper` at this size: making a batch, which a loader's
 * threads do ahead, assigning its truths, and in a training the runs of the step's graph and what lies between two of them:
 * assigning, feeding, reading back, log, progress. How long a run takes depends on the network, the rest does not.
 */
export async function measureHost(request: HostRequest): Promise<Answer<'host'>> {
  const { batch, input, isSlight, cache, repeats } = request
  const { recipe } = loadProfile('paper')
  const { backbone, neck } = scaledWidths(1)
  const network = isSlight ? slightNetwork(input) : darknet21(backbone, { neck, input })
  const scenes = scenesSchema.parse({ splits: { train: batch }, width: input[1], height: input[0] })
  const { splits } = await generateScenes(cache, scenes)
  const samples = splits.train ?? []
  const loader = createLoader(samples, { input, batch, augment: atFullSize(recipe.augment) })
  try {
    const { truths } = await loader.batchAt(0)
    const load = await timed(Math.min(repeats, 5), (i) => loader.batchAt(1 + i))
    const heads = headsOf(network)
    const assign = await timed(repeats, () => assignTargets(truths, heads, recipe.assign))
    return { batch, input, load, assign, ...(await watchTraining(network, samples, request)) }
  } finally {
    await loader.close()
  }
}
