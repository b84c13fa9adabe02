/** The network as data for writers of files: batch norm folded in, and every layer as what all runtimes have. */
import {
  type Activation,
  BATCH_NORM_EPSILON,
  type Convolution as ConvolutionLayer,
  checkNetwork,
  type DecodeConfig,
  type Deconvolution,
  headsOf,
  interpret,
  type MaxPool,
  type NetworkSpec,
  type Operations,
  type PoolWindows,
  poolWindows,
  type Weights,
} from '../detector'

/** [height, width, channels] of one image's map. */
export type MapShape = readonly [number, number, number]

/** The number of the input images among the values that steps take. */
export const IMAGES = -1

export type Margins = readonly [top: number, bottom: number, left: number, right: number]

interface Common {
  /** Unique. */
  readonly name: string
  /** Steps, or IMAGES, whose values it takes. */
  readonly from: readonly number[]
  readonly shape: MapShape
}

/** A convolution, its bias, and the activation behind it. */
export interface Convolution extends Common {
  readonly kind: 'conv'
  /** The layer whose weights it has. */
  readonly layer: string
  /** Side of the square kernel. */
  readonly size: number
  readonly stride: number
  /** Zeros above, below, left, right. */
  readonly padding: Margins
  /** Whether they are those of TensorFlow's 'SAME', which has faster kernels. */
  readonly isSame: boolean
  readonly groups: number
  readonly in: number
  readonly out: number
  /** [size, size, in / groups, out] */
  readonly kernel: Float32Array
  readonly bias: Float32Array
  readonly activation: Activation
}

export interface Pool extends Common {
  readonly kind: 'maxPool'
  readonly size: number
  readonly stride: number
  readonly padding: PoolWindows['padding']
  readonly isSame: boolean
}

export type Step =
  | Convolution
  | Pool
  /** block * block channels as so many pixels: y[b i + u, b j + v, c] = x[i, j, (b u + v) * channels + c]. */
  | (Common & { readonly kind: 'depthToSpace'; readonly block: number })
  /** Every pixel `factor` times in both directions. */
  | (Common & { readonly kind: 'nearest'; readonly factor: number })
  | (Common & { readonly kind: 'activate'; readonly activation: Activation })
  | (Common & { readonly kind: 'add' })
  /** Along the channels. */
  | (Common & { readonly kind: 'concat' })
  /** Channels from `begin` on. */
  | (Common & { readonly kind: 'slice'; readonly begin: number })
  /** So many channels of zeros behind those that there are. */
  | (Common & { readonly kind: 'widen'; readonly by: number })

/** What a detector computes from images to logits, in order. */
export interface Plan {
  /** [height, width] in pixels. */
  readonly input: readonly [number, number]
  readonly steps: readonly Step[]
  /** The steps that give the logits, in the order of the heads. */
  readonly outputs: readonly number[]
  /** Those of the maps in front of the heads, and of the network's named features. */
  readonly features: readonly number[]
  readonly named: { readonly [name: string]: number }
  readonly decode: DecodeConfig
}

/**
 * Folds a network's batch norm, as its own forward pass does, and lists what is left to compute.
 *
 * @throws Error naming a weight that is missing, or where the images have other than three channels
 */
export function planOf({
  network,
  weights,
}: {
  readonly network: NetworkSpec
  readonly weights: Weights
}): Plan {
  const { input, channels } = checkPlannable(network)
  const body = new Planner(weights, [...input, channels]).run(network)
  const { anchors, classes, scaleXY, strides } = headsOf(network)
  return { input, ...body, decode: { anchors, classes, scaleXY, strides } }
}

/**
 * Checks that a network can be said as files say it, and so trained as int8.
 * @throws Error where it describes no network, or the images have other than three channels
 */
export function checkPlannable(network: NetworkSpec): NetworkSpec {
  const found = checkNetwork(network)
  if (found.channels === 3) return found
  throw new Error(`network: expected images of 3 channels for a file, found ${found.channels}`)
}

/** Adds a step for every layer; a value is a step's number. */
class Planner implements Operations<number> {
  private readonly steps: Step[] = []

  constructor(
    private readonly weights: Weights,
    private readonly images: MapShape,
  ) {}

  run(network: NetworkSpec): Omit<Plan, 'input' | 'decode'> {
    const { outputs, features, named } = interpret<number>(network, this, IMAGES)
    return { steps: this.steps, outputs, features, named }
  }

  conv(x: number, layer: ConvolutionLayer): number {
    const { name, kernel: size, stride, padding, groups, out, activation } = layer
    const weights = folded(this.valuesOf(layer), (i) => i % out)
    return this.convolution(x, {
      ...weights,
      name,
      layer: name,
      size,
      stride,
      zeros: padding,
      groups,
      out,
      activation,
    })
  }

  deconv(x: number, layer: Deconvolution): number {
    const { name, kernel, stride, out, activation } = layer
    const [h, w, inputs] = this.shapeOf(x)
    const weights = folded(this.valuesOf(layer), (i) => Math.floor(i / inputs) % out)
    const { values, size } = asConvolution(weights.kernel, { kernel, stride, inputs, out })
    const pixels = this.convolution(x, {
      ...{ name, layer: name, size, stride: 1, zeros: (size - 1) / 2, groups: 1, activation },
      ...{ out: stride ** 2 * out, kernel: values, bias: repeated(weights.bias, stride ** 2) },
    })
    const shape: MapShape = [stride * h, stride * w, out]
    return this.push({ kind: 'depthToSpace', name: `${name}/pixels`, from: [pixels], block: stride, shape })
  }

  maxPool(x: number, layer: MaxPool): number {
    const [h, w, channels] = this.shapeOf(x)
    const { name, size, stride } = layer
    const { count, ...windows } = poolWindows([h, w], layer)
    return this.push({
      ...{ kind: 'maxPool', name, from: [x], size, stride, ...windows },
      shape: [...count, channels],
    })
  }

  upsample(x: number, { name, stride: factor }: { readonly name: string; readonly stride: number }): number {
    const [h, w, channels] = this.shapeOf(x)
    return this.push({ kind: 'nearest', name, from: [x], factor, shape: [factor * h, factor * w, channels] })
  }

  group(
    x: number,
    { name, groups, groupId }: { readonly name: string; readonly groups: number; readonly groupId: number },
  ): number {
    const channels = this.shapeOf(x)[2] / groups
    return this.slice(x, `${name}/part`, groupId * channels, channels)
  }

  concat(from: readonly number[], { name }: { readonly name: string }): number {
    const shapes = from.map((value) => this.shapeOf(value))
    const channels = shapes.reduce((sum, shape) => sum + shape[2], 0)
    const [h, w] = shapes[0]!
    return this.push({ kind: 'concat', name, from, shape: [h, w, channels] })
  }

  add(
    values: readonly number[],
    { name, activation }: { readonly name: string; readonly activation: Activation },
  ): number {
    const [first, ...others] = values as [number, ...number[]]
    const shape = this.shapeOf(first)
    const total = others.reduce((sum, value) => {
      const fitted = this.fitted(value, `${name}/fitted`, shape)
      return this.push({ kind: 'add', name: `${name}/sum`, from: [sum, fitted], shape })
    }, first)
    if (activation === 'linear') return total
    return this.push({ kind: 'activate', name, from: [total], activation, shape })
  }

  /** Darknet's shortcut: the first channels of a wider map, a narrower one with zeros behind. */
  private fitted(x: number, name: string, [h, w, channels]: MapShape): number {
    const own = this.shapeOf(x)[2]
    if (own === channels) return x
    if (own > channels) return this.slice(x, name, 0, channels)
    return this.push({ kind: 'widen', name, from: [x], by: channels - own, shape: [h, w, channels] })
  }

  private slice(x: number, name: string, begin: number, channels: number): number {
    const [h, w] = this.shapeOf(x)
    return this.push({ kind: 'slice', name, from: [x], begin, shape: [h, w, channels] })
  }

  private convolution(
    x: number,
    given: Omit<Convolution, 'kind' | 'from' | 'in' | 'shape' | 'padding' | 'isSame'> & {
      /** Zeros on every side. */
      readonly zeros: number
    },
  ): number {
    const [h, w, inputs] = this.shapeOf(x)
    const { zeros, ...step } = given
    const { size, stride, out } = step
    const along = (length: number) => Math.floor((length + 2 * zeros - size) / stride) + 1
    const after = (length: number) => behind(length, zeros, size, stride, along(length))
    return this.push({
      ...{ ...step, kind: 'conv', from: [x], in: inputs, shape: [along(h), along(w), out] },
      padding: [zeros, after(h), zeros, after(w)],
      isSame: stride === 1 && size === 2 * zeros + 1,
    })
  }

  private push(step: Step): number {
    const used = this.steps.some(({ name }) => name === step.name)
    const name = used ? `${step.name}/${this.steps.length}` : step.name
    return this.steps.push({ ...step, name }) - 1
  }

  private shapeOf(value: number): MapShape {
    return value === IMAGES ? this.images : this.steps[value]!.shape
  }

  /** A layer's weights by the last part of their names. */
  private valuesOf({ name, batchNorm }: ConvolutionLayer | Deconvolution): LayerWeights {
    const of = (suffix: string): Float32Array => {
      const found = this.weights.get(`${name}/${suffix}`)
      if (!found) throw new Error(`weight ${name}/${suffix}: the architecture needs it, found none`)
      return found.values
    }
    const kernel = of('kernel')
    if (!batchNorm) return { kernel, bias: of('bias') }
    return {
      kernel,
      norm: { gamma: of('gamma'), beta: of('beta'), mean: of('mean'), variance: of('variance') },
    }
  }
}

/** How many cells behind a map its last window reaches into. */
function behind(length: number, before: number, size: number, stride: number, windows: number): number {
  return Math.max(0, (windows - 1) * stride + size - length - before)
}

type LayerWeights =
  | { readonly kernel: Float32Array; readonly bias: Float32Array; readonly norm?: undefined }
  | {
      readonly kernel: Float32Array
      readonly norm: { readonly [name in 'gamma' | 'beta' | 'mean' | 'variance']: Float32Array }
    }

const EPSILON = Math.fround(BATCH_NORM_EPSILON)

/**
 * Batch norm with fixed statistics in a convolution: scale = gamma / sqrt(variance + epsilon) goes into the kernel, beta - mean *
 * scale is the bias. Every operation is rounded to float32, as the forward pass of the library computes it: the same bits.
 *
 * @param channelOf the output channel of a kernel's i-th weight
 */
function folded(
  weights: LayerWeights,
  channelOf: (i: number) => number,
): Pick<Convolution, 'kernel' | 'bias'> {
  if (!weights.norm) return { kernel: weights.kernel, bias: weights.bias }
  const { gamma, beta, mean, variance } = weights.norm
  const round = Math.fround
  const scale = gamma.map((value, i) => value / round(Math.sqrt(round(variance[i]! + EPSILON))))
  return {
    kernel: weights.kernel.map((weight, i) => weight * scale[channelOf(i)]!),
    bias: beta.map((shift, i) => shift - round(mean[i]! * scale[i]!)),
  }
}

/**
 * A deconvolution's kernel [k, k, out, in] as that of a convolution [size, size, in, stride^2 * out] with stride 1, whose channels are
 * the stride^2 pixels that a cell gives. Pixel u of a cell sees the cell `d` further on through the kernel's row u + (k - stride) / 2
 * - stride * d. Where kernel and stride are equal that is the cell itself, and the size 1.
 */
export function asConvolution(
  values: Float32Array,
  { kernel, stride, inputs, out }: { kernel: number; stride: number; inputs: number; out: number },
): { readonly values: Float32Array; readonly size: number } {
  const cut = (kernel - stride) / 2
  const reach = Math.ceil(cut / stride)
  const size = 2 * reach + 1
  const result = new Float32Array(size * size * inputs * stride ** 2 * out)
  /** Rows of the kernel by [pixel of the cell, distance of the cell it sees]. */
  const rowOf = (pixel: number, distance: number) => pixel + cut - stride * distance
  const isThere = (row: number) => row >= 0 && row < kernel
  for (let p = 0; p < size * size * stride ** 2; p++) {
    const [cell, pixel] = [Math.floor(p / stride ** 2), p % stride ** 2]
    const row = rowOf(Math.floor(pixel / stride), Math.floor(cell / size) - reach)
    const column = rowOf(pixel % stride, (cell % size) - reach)
    if (!isThere(row) || !isThere(column)) continue
    const from = (row * kernel + column) * out * inputs
    for (let channel = 0; channel < out; channel++)
      for (let input = 0; input < inputs; input++)
        result[((cell * inputs + input) * stride ** 2 + pixel) * out + channel] =
          values[from + channel * inputs + input]!
  }
  return { values: result, size }
}

function repeated(values: Float32Array, times: number): Float32Array {
  const result = new Float32Array(values.length * times)
  for (let i = 0; i < times; i++) result.set(values, i * values.length)
  return result
}
