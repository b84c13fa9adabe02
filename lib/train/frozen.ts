import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import stringify from 'safe-stable-stringify'
import { type Batch, type ViewCache, ViewWriter } from '../data'
import { type Detector, type DetectorOutput, STRIDES } from '../detector'
import { type Compiled, compile, deviceInfo, type Precision, type Tensor, tf } from '../engine'
import { sha256 } from './checkpoint'
import { encodeSafetensors } from './safetensors'

export interface FrozenOptions {
  /** Which of the detector's maps are wanted: logits, neck maps, or both. */
  readonly maps: readonly (keyof DetectorOutput)[]
  readonly precision: Precision
  /** Images of a step: a GPU chooses its kernels by their number. */
  readonly batch: number
  /** Folder that all frozen networks share. */
  readonly folder: string
  /** Bytes that it may hold. */
  readonly limit: number
}

/** Views by where their outputs came from, since the start of the process. */
export interface FrozenStatistics {
  /** Read from disk. */
  readonly found: number
  /** Computed, since at least one view of the batch was not found. */
  readonly computed: number
  /** Files that were damaged; their views were computed again. */
  readonly damaged: number
}

/**
 * A frozen detector's outputs, computed once a view: a training view is a function of seed, epoch and image, so that other
 * trainings with the same seed meet the same ones, and later epochs too where the augmentation is off or has a fixed
 * number of views. What is on disk is float32 as the network gave it, so that a training comes to the same bits
 * with and without.
 */
export class FrozenOutputs {
  /** For the loaders, which look every view up while earlier steps run. */
  readonly cache: ViewCache
  private readonly forward: Compiled<[Tensor], { [name: string]: Tensor }>
  private readonly writer: ViewWriter
  private readonly counts = { found: 0, computed: 0, damaged: 0 }

  constructor(
    private readonly detector: Detector,
    private readonly options: FrozenOptions,
  ) {
    const { folder, limit, maps, precision } = options
    const key = sha256(stringify(describe(detector, options)))
    this.cache = { folder: join(folder, key.slice(0, 16)), key }
    this.writer = new ViewWriter(this.cache, limit)
    this.forward = compile(
      (images: Tensor) => {
        const output = detector.forward(images as tf.Tensor4D, { training: false })
        return Object.fromEntries(
          maps.flatMap((map) => output[map].map((value, i) => [`${map}/${i}`, value])),
        )
      },
      { precision, name: 'frozen network' },
    )
  }

  /**
   * The maps of a step's images; `pack` gives them their names back.
   *
   * @param images [n, h, w, 3]
   * @param batches that they came from, in order, of loaders with `cache`
   */
  tensors(images: tf.Tensor4D, batches: readonly Batch[]): tf.Tensor4D[] {
    const found = batches.map((batch) => {
      if (!batch.found)
        throw new Error('expected batches of a loader with this view cache, found one without')
      return batch.found
    })
    this.counts.damaged += found.reduce((sum, { damaged }) => sum + damaged, 0)
    const shapes = this.shapesOf(images.shape)
    const sizes = shapes.map((shape) => shape.reduce((product, size) => product * size, 1))
    const names = found.flatMap((views) => views.names)
    const values = found.flatMap((views) => (views.values ? [views.values] : []))
    if (values.length === found.length) {
      this.counts.found += names.length
      return join4d(values, shapes, sizes)
    }
    this.counts.computed += names.length
    const computed = Object.values(this.forward(images)) as tf.Tensor4D[]
    const data = computed.map((map) => map.dataSync())
    const length = sizes.reduce((sum, size) => sum + size, 0)
    names.forEach((name, view) => {
      const entry = new Float32Array(length)
      let at = 0
      for (const [map, size] of sizes.entries()) {
        entry.set(data[map]!.subarray(view * size, (view + 1) * size), at)
        at += size
      }
      this.writer.keep(name, entry)
    })
    return computed
  }

  /** Names the maps that `tensors` gave; those that were not wanted are missing. */
  pack(tensors: readonly tf.Tensor4D[]): DetectorOutput {
    const scales = STRIDES.length
    const of = (map: keyof DetectorOutput) => {
      const place = this.options.maps.indexOf(map)
      return place < 0 ? [] : tensors.slice(place * scales, (place + 1) * scales)
    }
    return { outputs: of('outputs'), features: of('features') }
  }

  get statistics(): FrozenStatistics {
    return { ...this.counts }
  }

  /**
   * Waits until everything is on disk.
   * @throws Error when it cannot be written
   */
  flush(): Promise<void> {
    return this.writer.flush()
  }

  dispose(): void {
    this.forward.dispose()
  }

  /** [h, w, channels] of every map. */
  private shapesOf([, height = 0, width = 0]: readonly number[]): [number, number, number][] {
    const { anchors, classes, neck } = this.detector.config
    const channels = {
      outputs: anchors.map((scale) => scale.length * (5 + classes)),
      features: [...neck],
    }
    return this.options.maps.flatMap((map) =>
      STRIDES.map((stride, i): [number, number, number] => [
        height / stride,
        width / stride,
        channels[map][i]!,
      ]),
    )
  }
}

/** [views][maps] on disk to one tensor a map. */
function join4d(
  batches: readonly Float32Array[],
  shapes: readonly (readonly [number, number, number])[],
  sizes: readonly number[],
): tf.Tensor4D[] {
  const length = sizes.reduce((sum, size) => sum + size, 0)
  const views = batches.flatMap((values) =>
    Array.from({ length: values.length / length }, (_, i) => values.subarray(i * length, (i + 1) * length)),
  )
  let from = 0
  return shapes.map((shape, map) => {
    const size = sizes[map]!
    const joined = new Float32Array(views.length * size)
    for (const [i, values] of views.entries()) joined.set(values.subarray(from, from + size), i * size)
    from += size
    return tf.tensor4d(joined, [views.length, ...shape])
  })
}

/** Rooms whose code decides what a frozen network gives for the pixels of a view. */
const ROOMS = ['engine', 'detector']
/** Environment variables with which TensorFlow's libraries choose kernels (TF_CPP_ ones only log). */
const SWITCHES = /^(TF_(?!CPP_)|ONEDNN_|DNNL_|NVIDIA_|CUDNN_)/

/** Everything beside the pixels that the outputs depend on, to the bit. */
function describe(detector: Detector, { maps, precision, batch }: FrozenOptions): object {
  return {
    ...{ maps, precision, batch, detector: detector.config },
    weights: sha256(encodeSafetensors(detector.weights())),
    device: deviceInfo(),
    switches: Object.fromEntries(Object.entries(process.env).filter(([name]) => SWITCHES.test(name))),
    code: ROOMS.map((room) => hashFolder(join(__dirname, '..', room))),
  }
}

function hashFolder(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()
  return sha256(files.map((file) => `${file.slice(folder.length)} ${sha256(readFileSync(file))}\n`).join(''))
}
