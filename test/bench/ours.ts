/** The workbook's process of the benchmark: answers the requests of protocol.ts. Started by workers.ts. */
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { generateScenes } from '../../lib/data'
import {
  compile,
  conv2d,
  deviceInfo,
  type Precision,
  supportsPrecision,
  type Tensor,
  tf,
} from '../../lib/engine'
import { loadProfile } from '../../lib/study'
import { residentMemory } from '../../lib/trial/memory'
import { trainEpoch } from './epoch'
import { evaluatorExtras, runEvaluator, writeEvaluation } from './evaluator'
import { measureHost } from './host'
import { readProblem, writeProblem } from './problem'
import { type Answer, type Request, requestSchema } from './protocol'
import { readStages } from './stages'
import { createWork, type Runnable } from './work'

const WARM_UP = 2

const works = new Map<string, Runnable>()

function timed(body: () => unknown, iterations: number): number[] {
  return Array.from({ length: iterations }, () => {
    const begin = performance.now()
    body()
    return (performance.now() - begin) / 1000
  })
}

function workOf(key: string): Runnable {
  const work = works.get(key)
  if (!work) throw new Error(`expected a prepared work, found none named ${key}`)
  return work
}

/** GFLOP/s of a chain of 3x3 convolutions, 128 channels on 24x64 cells. */
function throughput(precision: Precision, seconds: number): Answer<'throughput'> {
  const [batch, height, width, channels, length] = [8, 24, 64, 128, 6]
  const deviation = 1 / Math.sqrt(9 * channels)
  const x = tf.randomNormal<tf.Rank.R4>([batch, height, width, channels], 0, 1, 'float32', 1)
  const kernel = tf.randomNormal<tf.Rank.R4>([3, 3, channels, channels], 0, deviation, 'float32', 2)
  const chain = compile(
    (input: Tensor) => {
      let y = input as tf.Tensor4D
      for (let i = 0; i < length; i++) y = conv2d(y, kernel)
      return tf.max(y)
    },
    { precision, name: 'convolutions' },
  )
  const once = () => {
    const result = chain(x)
    result.dataSync()
    result.dispose()
  }
  once()
  const end = performance.now() + 1000 * seconds
  let best = Number.POSITIVE_INFINITY
  while (performance.now() < end) best = Math.min(best, ...timed(once, 1))
  chain.dispose()
  tf.dispose([x, kernel])
  return { gflops: (2 * 9 * batch * height * width * channels ** 2 * length) / best / 1e9 }
}

function hello(): Answer<'hello'> {
  const { device, name, instructionSets, threads, tensorflow, tfjs } = deviceInfo()
  const reason = (precision: Precision) => {
    const supported = supportsPrecision(precision)
    return supported === true ? undefined : supported
  }
  return {
    threads,
    versions: { node: process.version, tensorflow, tfjs },
    device,
    name,
    instructionSets: [...instructionSets],
    lacking: { bfloat16: reason('bfloat16'), float16: reason('float16') },
  }
}

/** Renders images for the epochs and lists them for the other side. */
async function scenes(cache: string, images: number, file: string): Promise<Answer<'scenes'>> {
  const { data, recipe } = loadProfile('default')
  const dataset = await generateScenes(cache, { ...data, splits: { train: images } })
  writeFileSync(file, JSON.stringify(dataset.splits.train))
  return { images, augment: recipe.augment, assign: recipe.assign }
}

async function answer(request: Request): Promise<object> {
  switch (request.op) {
    case 'hello':
      return hello()
    case 'problem':
      return writeProblem(request.spec, request.file)
    case 'prepare': {
      const { op: _, key, file, ...work } = request
      const runnable = createWork(readProblem(file), work)
      works.set(key, runnable)
      const first = runnable.run()
      return { first, seconds: timed(runnable.run, WARM_UP) }
    }
    case 'run':
      return { seconds: timed(workOf(request.key).run, request.iterations) }
    case 'release':
      workOf(request.key).dispose()
      works.delete(request.key)
      return {}
    case 'size':
      return workOf(request.key).size()
    case 'host':
      return measureHost(request)
    case 'memory':
      return residentMemory()
    case 'throughput':
      return throughput(request.precision, request.seconds)
    case 'scenes':
      return scenes(request.cache, request.images, request.file)
    case 'epoch':
      return trainEpoch(request)
    case 'evaluatorPrepare':
      return writeEvaluation(request.folder)
    case 'evaluate':
      return runEvaluator()
    case 'evaluatorExtras':
      return evaluatorExtras()
    case 'stages':
      return readStages(request.runs, request.shipped)
  }
}

async function main(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    let reply: object
    try {
      reply = await answer(requestSchema.parse(JSON.parse(line)))
    } catch (error) {
      reply = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`)
  }
  process.exit(0)
}

void main()
