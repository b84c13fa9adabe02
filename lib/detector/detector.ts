import { Random } from '../base'
import { assignJoined, joined, tf, unitPixels } from '../engine'
import { coarsestStride, type HeadConfig, headsOf } from './heads'
import { interpret } from './interpret'
import { layersOf, type WeightedLayer } from './layers'
import type { NetworkSpec } from './spec'
import {
  inferenceOperations,
  SLOPE,
  STATISTICS_MOMENTUM,
  type Statistics,
  trainingOperations,
} from './tensors'

/** Objectness starts at sigmoid(-4.6) = 1 %, about the share of positives (Lin et al. 2017, section 3.3). */
const OBJECTNESS_BIAS = -4.6

/** Weights by name, `<layer>/<kernel|gamma|beta|mean|variance|bias>`, as plain arrays with their shapes. */
export type Weights = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly values: Float32Array }
>

/** What a forward pass gives. Scales are in the order of the yolo layers. */
export interface DetectorOutput {
  /** Raw logits [n, h / stride, w / stride, anchors * (5 + classes)], anchor-major: tx ty tw th obj class... */
  readonly outputs: readonly tf.Tensor4D[]
  /** Maps in front of the heads [n, h / stride, w / stride, width], as far as the network names them. */
  readonly features: readonly tf.Tensor4D[]
  /** The network's named features, `C3`, `detect1`, ..., where a loss may ask for them. */
  readonly named?: { readonly [name: string]: tf.Tensor4D }
}

/** What a detector's own forward pass gives: the losses need no more than a DetectorOutput. */
export interface ForwardOutput extends DetectorOutput {
  /** The network's named features: `C3`, `detect1`, ... */
  readonly named: { readonly [name: string]: tf.Tensor4D }
}

/** Whether a forward pass is one of training. */
export interface ForwardOptions {
  /** Batch statistics (and an update of the running ones), or the running statistics folded into the kernels. */
  readonly training: boolean
  /** Whether training updates the running statistics; default true. */
  readonly updateStatistics?: boolean
}

/** Shapes of a layer's weights by the last part of their names. */
export function weightShapes(layer: WeightedLayer): ReadonlyMap<string, number[]> {
  const { kind, kernel, groups, in: inputs, out, batchNorm } = layer
  const shape =
    kind === 'deconvolution' ? [kernel, kernel, out, inputs] : [kernel, kernel, inputs / groups, out]
  const vectors = batchNorm ? ['gamma', 'beta', 'mean', 'variance'] : ['bias']
  return new Map([['kernel', shape], ...vectors.map((name): [string, number[]] => [name, [out]])])
}

/**
 * Initial weights: kernels He-normal for LeakyReLU (sd = sqrt(2 / ((1 + 0.1^2) fan-in)), He et al. 2015, eq. 15), those that
 * give logits sd 0.01, gamma 1, beta 0, objectness biased to about 1 %.
 */
export function initialWeights(network: NetworkSpec, seed: number): Weights {
  return new Map(
    layersOf(network).layers.flatMap((layer) => [
      ...initialLayer(layer, new Random('weights', seed, layer.name)),
    ]),
  )
}

/** The initial weights of one layer, by their whole names. */
function initialLayer(
  layer: WeightedLayer,
  random: Random,
): Map<string, { shape: number[]; values: Float32Array }> {
  const { name, kind, kernel, stride, groups, in: inputs, head } = layer
  // A pixel that a deconvolution gives is a sum over (kernel / stride)^2 cells.
  const area = kind === 'deconvolution' ? (kernel / stride) ** 2 : kernel ** 2
  const deviation = head ? 0.01 : Math.sqrt(2 / ((1 + SLOPE ** 2) * ((area * inputs) / groups)))
  const weights = new Map<string, { shape: number[]; values: Float32Array }>()
  for (const [suffix, shape] of weightShapes(layer)) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
    if (suffix === 'kernel') for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal()
    if (suffix === 'gamma' || suffix === 'variance') values.fill(1)
    if (suffix === 'bias' && head)
      for (let i = 4; i < values.length; i += 5 + head.classes) values[i] = OBJECTNESS_BIAS
    weights.set(`${name}/${suffix}`, { shape, values })
  }
  return weights
}

/** A detector: its architecture as data and its weights as variables. Dispose it when done. */
export class Detector {
  readonly layers: readonly WeightedLayer[]
  private readonly variables = new Map<string, tf.Variable>()
  private readonly coarsest: number
  /** The layers that give logits. */
  private readonly logits: ReadonlySet<string>
  private heads: HeadConfig | undefined

  /**
   * @param weights every weight of the architecture and nothing else
   * @throws Error naming the weight that is missing, superfluous or of another shape
   */
  constructor(
    readonly network: NetworkSpec,
    weights: Weights,
  ) {
    this.layers = layersOf(network).layers
    this.coarsest = coarsestStride(network)
    this.logits = new Set(this.layers.flatMap(({ name, head }) => (head ? [name] : [])))
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
  static create(network: NetworkSpec, seed: number): Detector {
    return new Detector(network, initialWeights(network, seed))
  }

  /**
   * What its outputs mean.
   * @throws Error when its heads cannot be decoded together: see `headsOf`
   */
  get config(): HeadConfig {
    this.heads ??= headsOf(this.network)
    return this.heads
  }

  /** Every weight, trained ones and running statistics, in the order of the layers. */
  get state(): tf.Variable[] {
    return [...this.variables.values()]
  }

  /** The same by what becomes of them in training: kernels, the other trained ones, running statistics. */
  get groups(): { readonly [group in 'kernels' | 'vectors' | 'statistics']: tf.Variable[] } {
    const of = (isMember: (name: string, trained: boolean) => boolean) =>
      [...this.variables].flatMap(([name, variable]) =>
        isMember(name, variable.trainable) ? [variable] : [],
      )
    return {
      kernels: of((name) => name.endsWith('/kernel')),
      vectors: of((name, trained) => trained && !name.endsWith('/kernel')),
      statistics: of((_, trained) => !trained),
    }
  }

  /** Trained weights by name. */
  get trained(): ReadonlyMap<string, tf.Variable> {
    return new Map([...this.variables].filter(([, variable]) => variable.trainable))
  }

  /** One of the weights by its name. @throws Error where the network has none of that name */
  variable(name: string): tf.Variable {
    const variable = this.variables.get(name)
    if (!variable) throw new Error(`weight ${name}: the architecture has no such weight`)
    return variable
  }

  /** Overwrites every weight; the same rules as for the constructor. */
  restore(weights: Weights): void {
    const other = new Detector(this.network, weights)
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

  /** Another one with the same weights. */
  copy(): Detector {
    return new Detector(this.network, this.weights())
  }

  /**
   * Runs the network. Call it inside tf.tidy or a compiled function.
   *
   * @param images [n, h, w, channels] in 0..1, or bytes (see `unitPixels`); h and w those of the network's input, or multiples of its coarsest stride
   * @throws Error when the images have another shape
   */
  forward(images: tf.Tensor4D, { training, updateStatistics = true }: ForwardOptions): ForwardOutput {
    const { input, channels } = this.network
    const [, height, width, depth] = images.shape
    const fits =
      (height === input[0] && width === input[1]) ||
      [height, width].every((side) => side % this.coarsest === 0)
    if (images.rank !== 4 || !fits || depth !== channels) {
      throw new Error(
        `images: expected [n, h, w, ${channels}] with h and w multiples of ${this.coarsest}, found [${images.shape}]`,
      )
    }
    const weights = {
      variable: (name: string) => this.variable(name),
      givesLogits: (layer: string) => this.logits.has(layer),
    }
    const statistics: Statistics = new Map()
    const operations = training
      ? trainingOperations(weights, updateStatistics ? statistics : undefined)
      : inferenceOperations(weights)
    const { outputs, features, named } = interpret(this.network, operations, unitPixels(images))
    this.follow(statistics)
    return { outputs, features, named }
  }

  /** Moves the running statistics towards a batch's: r <- momentum * r + (1 - momentum) * b. */
  private follow(statistics: Statistics): void {
    const names = [...this.variables.keys()].filter((name) => statistics.has(name))
    if (names.length === 0) return
    const running = names.map((name) => this.variable(name))
    const batch = names.map((name) => statistics.get(name)!)
    tf.tidy(() => {
      const kept = tf.mul(joined(running), STATISTICS_MOMENTUM)
      assignJoined(running, tf.add(kept, tf.mul(joined(batch), 1 - STATISTICS_MOMENTUM)))
    })
    tf.dispose(batch)
  }

  /** Frees all weights. */
  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose()
    this.variables.clear()
  }
}
