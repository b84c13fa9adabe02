/** Proof of an exported file: it is run in its own runtime, and compared with the library's own forward pass. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import type { Crop, Dataset, Sample } from '../data'
import { Detector } from '../detector'
import { compile, deviceInfo, type Tensor, tf } from '../engine'
import { evaluateDetections, type ScoredBox } from '../evaluate'
import { type NamedTensor, predict } from '../train'
import { detectionsIn, predictWith } from './detections'
import { type FileRequest, type Model, writeModel } from './files'
import { framesOf } from './frames'
import type { Metadata } from './metadata'
import { type HeadDifference, headDifference } from './proof-head'
import { isInstalled, notInstalled, RUNTIME, type RuntimeName } from './runtimes'
import { Session } from './runtimes/session'

/** Largest difference of a logit that a file may have, and by how much COCO AP may fall in int8. */
export const BOUNDS = { float32: 1e-4, float16: 0.1, ap: 0.01 } as const

/** Batches that a file is tried with, where it takes any. */
const BATCHES = [1, 3]

/** Images on which a file is proved. */
export interface ProofData {
  /** Frames; the first three are compared, and int8 is scored on all of them. */
  readonly samples: readonly Sample[]
  readonly classes: Dataset['classes']
  readonly crop?: Crop
}

export interface ProofOptions {
  /** Instead of the format's own. */
  readonly runtime?: RuntimeName
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

/** A file's outputs in its own runtime beside the library's. */
export interface Proof {
  readonly runtime: RuntimeName
  readonly version: string
  readonly batches: readonly number[]
  /** Of logits, over all batches; the bound where there is one. */
  readonly maxDifference: number
  readonly meanDifference: number
  readonly bound?: number
  /** Final detections: those that are the library's to a tenth of a pixel and a thousandth of score, and how many it has. */
  readonly equalDetections: number
  readonly detections: number
  /** Of a file that decodes: the largest difference from what its own logits decode to. */
  readonly head?: HeadDifference
  /** COCO AP of the library in float32 and of the file, where the numbers are int8. */
  readonly ap?: { readonly library: number; readonly file: number; readonly images: number }
}

/** The runtime that proves a file; int8 of OpenVINO's pattern its own. */
export function provingRuntime({ format, target }: Pick<FileRequest, 'format' | 'target'>): RuntimeName {
  switch (format) {
    case 'onnx':
      return target === 'openvino' ? 'openvino' : 'onnxruntime'
    case 'saved-model':
      return 'saved-model'
    case 'tflite':
      return 'litert'
    case 'tfjs':
      return 'tfjs'
    case 'checkpoint':
    case 'darknet':
      return 'library'
  }
}

/** Why a file cannot be proved here; undefined where it can. */
export function unprovable(request: Pick<FileRequest, 'format' | 'target'>): string | undefined {
  const runtime = provingRuntime(request)
  return isInstalled(runtime) ? undefined : notInstalled(runtime)
}

/**
 * Runs a file on frames of the data and compares it with the model.
 *
 * @throws Error naming the bound that it misses, or with what its runtime said
 */
export async function prove(
  model: Model,
  file: string,
  request: FileRequest,
  metadata: Metadata,
  data: ProofData,
  options: ProofOptions = {},
): Promise<Proof> {
  if (metadata.head === 'logits') return proveLogits(model, file, request, metadata, data, options)
  const folder = mkdtempSync(join(tmpdir(), 'proof-'))
  try {
    const twin = join(folder, `logits${extname(file)}`)
    const wanted = { ...request, head: 'logits' } as const
    const about = writeModel(model, twin, wanted)
    const proof = await proveLogits(model, twin, wanted, about, data, options)
    const head = await headDifference([twin, about], [file, metadata], proof.runtime, data)
    return { ...proof, head }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function proveLogits(
  model: Model,
  file: string,
  request: FileRequest,
  metadata: Metadata,
  data: ProofData,
  options: ProofOptions,
): Promise<Proof> {
  const { runtime = provingRuntime(request) } = options
  const { threads } = deviceInfo()
  const session = await Session.open(file, runtime, metadata, { threads, signal: options.signal })
  const reference = referenceOf(model)
  try {
    const { batch } = metadata
    const batches = batch === 'any' ? BATCHES : [batch]
    const seen = { max: 0, sum: 0, count: 0, equal: 0, detections: 0 }
    for (const n of batches) {
      const images = await framesOf(data.samples, metadata, n, data.crop)
      const expected = reference.run(images)
      const found = await session.run(images)
      compare(expected, found, metadata, seen)
    }
    const proof: Proof = {
      ...{ runtime, version: session.version, batches },
      ...{ maxDifference: seen.max, meanDifference: seen.sum / seen.count, bound: boundOf(model, request) },
      ...{ equalDetections: seen.equal, detections: seen.detections },
    }
    if (request.precision !== 'int8') return checked(file, proof)
    return checked(file, { ...proof, ap: await precisions(reference.detector, session, data, options) })
  } finally {
    reference.dispose()
    await session.close()
  }
}

/**
 * SavedModels run on the same kernels: the same bits, but for bytes, whose division TensorFlow turns into a product, and for
 * deconvolutions whose windows overlap, which are added up in another order.
 */
function boundOf({ network }: Model, { format, precision, pixels }: FileRequest): number | undefined {
  if (precision === 'int8') return undefined
  if (format === 'checkpoint') return 0
  const overlaps = network.layers.some(
    (layer) => layer.kind === 'deconvolution' && layer.kernel > layer.stride,
  )
  const isExact = format === 'saved-model' && precision === 'float32' && pixels === 'float' && !overlaps
  return isExact ? 0 : BOUNDS[precision]
}

function checked(file: string, proof: Proof): Proof {
  const { bound, maxDifference, ap, runtime } = proof
  const where = `${file}: in ${RUNTIME[runtime].title} ${proof.version}`
  // Not a number is no small difference.
  if (bound !== undefined && !(maxDifference <= bound)) {
    throw new Error(
      `${where} expected logits within ${bound} of the library's, found a difference of ${maxDifference.toPrecision(3)}`,
    )
  }
  if (ap && !(ap.library - ap.file <= BOUNDS.ap)) {
    const points = (value: number) => (100 * value).toFixed(2)
    throw new Error(
      `${where} expected a COCO AP of at most 1 point below the library's ${points(ap.library)}, found ${points(ap.file)}`,
    )
  }
  return proof
}

/** The library's forward pass, which a file is compared with. */
function referenceOf(model: Model) {
  const detector = new Detector(model.network, model.weights)
  const forward = compile(
    (images: Tensor) => [...detector.forward(images as tf.Tensor4D, { training: false }).outputs],
    { name: 'forward' },
  )
  return {
    detector,
    run: ({ shape, values }: NamedTensor): NamedTensor[] => {
      const input: Tensor = tf.tensor(values, [...shape])
      const outputs = forward(input)
      const found = outputs.map((output) => ({
        shape: output.shape,
        values: Float32Array.from(output.dataSync()),
      }))
      tf.dispose([input, outputs])
      return found
    },
    dispose: () => {
      forward.dispose()
      detector.dispose()
    },
  }
}

function compare(
  expected: readonly NamedTensor[],
  found: ReadonlyMap<string, NamedTensor>,
  metadata: Metadata,
  seen: { max: number; sum: number; count: number; equal: number; detections: number },
): void {
  metadata.outputs.forEach((name, scale) => {
    const [a, b] = [expected[scale]!, found.get(name)]
    if (!b || a.shape.join() !== b.shape.join()) {
      throw new Error(`${name}: expected [${a.shape}], found ${b ? `[${b.shape}]` : 'no such output'}`)
    }
    a.values.forEach((value, i) => {
      const difference = Math.abs(value - b.values[i]!)
      // Math.max hands a NaN on.
      seen.max = Math.max(seen.max, difference)
      seen.sum += difference
    })
    seen.count += a.values.length
  })
  const own = new Map(metadata.outputs.map((name, scale) => [name, expected[scale]!]))
  const [theirs, ours] = [detectionsIn(found, metadata), detectionsIn(own, metadata)]
  ours.forEach((boxes, image) => {
    seen.detections += boxes.length
    seen.equal += boxes.filter((box) => theirs[image]!.some((other) => isSame(box, other))).length
  })
}

function isSame(a: ScoredBox, b: ScoredBox): boolean {
  const near = (['x1', 'y1', 'x2', 'y2'] as const).every((side) => Math.abs(a[side] - b[side]) <= 0.1)
  return near && a.label === b.label && Math.abs(a.score - b.score) <= 1e-3
}

async function precisions(
  detector: Detector,
  session: Session,
  { samples, classes, crop }: ProofData,
  { signal, onProgress }: ProofOptions,
): Promise<Proof['ap']> {
  if (classes.length !== detector.config.classes) {
    throw new Error(
      `int8 is proved by its COCO AP: expected data with the model's ${detector.config.classes} classes, found ${classes.length}; ` +
        'give the data it was made for with --data or --profile',
    )
  }
  const own = await predict(detector, samples, { crop, signal })
  const found = await predictWith(session, samples, { crop, signal, onProgress })
  const of = ({ truths, detections }: Pick<typeof own, 'truths' | 'detections'>) =>
    evaluateDetections(truths, detections, { classes }).coco.AP
  return { library: of(own), file: of(found), images: samples.length }
}
