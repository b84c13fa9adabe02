import { Random } from '../base'
import {
  batchNormTraining,
  biasAdd,
  conv2d,
  conv2dTranspose,
  leakyRelu,
  tf,
  upsampleNearest,
} from '../engine'
import { type Layer, layersOf } from './layers'
import { network } from './network'
import type { Operations } from './operations'
import { type DetectorConfig, type ForwardOutput, STRIDES } from './types'

/** Batch norm's epsilon. */
export const BATCH_NORM_EPSILON = 1e-5
/** Share of the running statistics that stays at every step. */
const MOMENTUM = 0.9
/** LeakyReLU: x above 0, SLOPE * x below. */
export const SLOPE = 0.1
/** Objectness starts at sigmoid(-4.6) = 1 %, about the share of positives (Lin et al. 2017, section 3.3). */
const OBJECTNESS_BIAS = -4.6

/** Weights by name, `<layer>/<kernel|gamma|beta|mean|variance|bias>`, as plain arrays with their shapes. */
export type Weights = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly values: Float32Array }
>

export interface ForwardOptions {
  /** Batch statistics (and an update of the running ones), or the running statistics folded into the kernels. */
  readonly training: boolean
  /** Whether training updates the running statistics; default true. */
  readonly updateStatistics?: boolean
}

/** Shapes of a layer's weights by the last part of their names. */
export function weightShapes(layer: Layer): ReadonlyMap<string, number[]> {
  const { kernel, in: inputs, out } = layer
  const shape = layer.kind === 'deconv' ? [kernel, kernel, out, inputs] : [kernel, kernel, inputs, out]
  const vectors = layer.kind === 'linear' ? ['bias'] : ['gamma', 'beta', 'mean', 'variance']
  return new Map([['kernel', shape], ...vectors.map((name): [string, number[]] => [name, [out]])])
}

/**
 * Initial weights: kernels He-normal for LeakyReLU (sd = sqrt(2 / ((1 + 0.1^2) fan-in)), He et al. 2015, eq. 15), linear
 * layers sd 0.01, gamma 1, beta 0, objectness biased to about 1 %.
 */
export function initialWeights(config: DetectorConfig, seed: number): Weights {
  const weights = new Map<string, { shape: number[]; values: Float32Array }>()
  for (const layer of layersOf(config).layers) {
    const random = new Random('weights', seed, layer.name)
    const fanIn = (layer.kind === 'deconv' ? 1 : layer.kernel ** 2) * layer.in
    const deviation = layer.kind === 'linear' ? 0.01 : Math.sqrt(2 / ((1 + SLOPE ** 2) * fanIn))
    for (const [name, shape] of weightShapes(layer)) {
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
      if (name === 'kernel') for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal()
      if (name === 'gamma' || name === 'variance') values.fill(1)
      if (name === 'bias')
        for (let i = 4; i < values.length; i += 5 + config.classes) values[i] = OBJECTNESS_BIAS
      weights.set(`${layer.name}/${name}`, { shape, values })
    }
  }
  return weights
}

/** Darknet pads (kernel - 1) / 2 on every side; with stride 1 that is TensorFlow's 'same', which has faster kernels. */
const paddingOf = (kernel: number, stride: number) => (stride === 1 ? 'same' : (kernel - 1) / 2)

/** A detector: its architecture as data and its weights as variables. Dispose it when done. */
export class Detector {
  readonly layers: readonly Layer[]
  private readonly variables = new Map<string, tf.Variable>()

  /**
   * @param weights every weight of the architecture and nothing else
   * @throws Error naming the weight that is missing, superfluous or of another shape
   */
  constructor(
    readonly config: DetectorConfig,
    weights: Weights,
  ) {
    this.layers = layersOf(config).layers
    for (const layer of this.layers) {
      for (const [suffix, shape] of weightShapes(layer)) {
        const name = `${layer.name}/${suffix}`
        const found = weights.get(name)
        if (!found || found.shape.join() !== shape.join()) {
          this.dispose()
          throw new Error(
            `weight ${name}: expected shape [${shape}], found ${found ? `[${found.shape}]` : 'none'}`,
          )
        }
        const trained = suffix !== 'mean' && suffix !== 'variance'
        this.variables.set(
          name,
          tf.tidy(() => tf.variable(tf.tensor(found.values, shape), trained)),
        )
      }
    }
    const superfluous = [...weights.keys()].find((name) => !this.variables.has(name))
    if (superfluous) {
      this.dispose()
      throw new Error(`weight ${superfluous}: the architecture has no such weight`)
    }
  }

  /** A new detector with random weights. */
  static create(config: DetectorConfig, seed: number): Detector {
    return new Detector(config, initialWeights(config, seed))
  }

  /** Every weight, trained ones and running statistics, in the order of the layers. */
  get state(): tf.Variable[] {
    return [...this.variables.values()]
  }

  /** Trained weights by name. */
  get trained(): ReadonlyMap<string, tf.Variable> {
    return new Map([...this.variables].filter(([, variable]) => variable.trainable))
  }

  variable(name: string): tf.Variable {
    const variable = this.variables.get(name)
    if (!variable) throw new Error(`weight ${name}: the architecture has no such weight`)
    return variable
  }

  /** Overwrites every weight; the same rules as for the constructor. */
  restore(weights: Weights): void {
    const other = new Detector(this.config, weights)
    for (const [name, variable] of this.variables) variable.assign(other.variable(name))
    other.dispose()
  }

  /** A copy of the weights outside the engine. */
  weights(): Weights {
    return new Map(
      [...this.variables].map(([name, variable]) => [
        name,
        { shape: [...variable.shape], values: Float32Array.from(variable.dataSync()) },
      ]),
    )
  }

  /**
   * Runs the network. Call it inside tf.tidy or a compiled function.
   *
   * @param images [n, h, w, 3] in 0..1; h and w multiples of 32, not necessarily those of the config
   * @throws Error when the images have another shape
   */
  forward(images: tf.Tensor4D, { training, updateStatistics = true }: ForwardOptions): ForwardOutput {
    const [, height, width, channels] = images.shape
    if (images.rank !== 4 || height % STRIDES[0] !== 0 || width % STRIDES[0] !== 0 || channels !== 3) {
      throw new Error(
        `images: expected [n, h, w, 3] with h and w multiples of ${STRIDES[0]}, found [${images.shape}]`,
      )
    }
    const operations = training ? this.trainingOperations(updateStatistics) : this.inferenceOperations()
    return network(operations, images, this.config)
  }

  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose()
    this.variables.clear()
  }

  private vector(name: string): tf.Tensor1D {
    return this.variable(name) as tf.Tensor as tf.Tensor1D
  }

  private kernel(layer: string): tf.Tensor4D {
    return this.variable(`${layer}/kernel`) as tf.Tensor as tf.Tensor4D
  }

  private readonly common: Pick<
    Operations<tf.Tensor4D>,
    'nearest' | 'linear' | 'add' | 'concat' | 'maxPool'
  > = {
    nearest: (x) => upsampleNearest(x, 2),
    // The logits' last bits decide between neighbouring boxes, and the layer is cheap: always float32.
    linear: (x, { name }) =>
      biasAdd(conv2d(x, this.kernel(name), { float32: true }), this.vector(`${name}/bias`)),
    add: (a, b) => tf.add(a, b),
    concat: (values) => tf.concat([...values], 3),
    maxPool: (x, size) => tf.maxPool(x, size, 1, 'same'),
  }

  private trainingOperations(updateStatistics: boolean): Operations<tf.Tensor4D> {
    const normalise = (x: tf.Tensor4D, layer: string) => {
      const update = (name: string, value: tf.Tensor1D) => {
        const running = this.variable(`${layer}/${name}`)
        running.assign(tf.add(tf.mul(running, MOMENTUM), tf.mul(value, 1 - MOMENTUM)))
      }
      const y = batchNormTraining(x, this.vector(`${layer}/gamma`), this.vector(`${layer}/beta`), {
        epsilon: BATCH_NORM_EPSILON,
        onStatistics: (mean, variance) => {
          if (!updateStatistics) return
          update('mean', mean)
          update('variance', variance)
        },
      })
      return leakyRelu(y, SLOPE)
    }
    return {
      ...this.common,
      conv: (x, { name, kernel, stride }) =>
        normalise(conv2d(x, this.kernel(name), { stride, padding: paddingOf(kernel, stride) }), name),
      deconv: (x, { name }) => normalise(conv2dTranspose(x, this.kernel(name), 2), name),
    }
  }

  /** Batch norm with fixed statistics is a scale and a shift: the scale goes into the kernel, the shift is a bias. */
  private inferenceOperations(): Operations<tf.Tensor4D> {
    const folded = (layer: string, kernelShape: readonly number[]) => {
      const deviation = tf.sqrt(tf.add(this.vector(`${layer}/variance`), BATCH_NORM_EPSILON))
      const scale = tf.div(this.vector(`${layer}/gamma`), deviation)
      const shift = tf.sub(
        this.vector(`${layer}/beta`),
        tf.mul(this.vector(`${layer}/mean`), scale),
      ) as tf.Tensor1D
      return { kernel: tf.mul(this.kernel(layer), tf.reshape(scale, [...kernelShape])) as tf.Tensor4D, shift }
    }
    return {
      ...this.common,
      conv: (x, { name, kernel: size, stride, out }) => {
        const { kernel, shift } = folded(name, [1, 1, 1, out])
        return leakyRelu(
          biasAdd(conv2d(x, kernel, { stride, padding: paddingOf(size, stride) }), shift),
          SLOPE,
        )
      },
      deconv: (x, { name, out }) => {
        const { kernel, shift } = folded(name, [1, 1, out, 1])
        return leakyRelu(biasAdd(conv2dTranspose(x, kernel, 2), shift), SLOPE)
      },
    }
  }
}
