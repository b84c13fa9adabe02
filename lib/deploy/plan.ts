/** The network as data for writers of files: batch norm folded in, deconvolutions as what every runtime has. */
import {
  BATCH_NORM_EPSILON,
  type DecodeConfig,
  type DetectorConfig,
  network,
  type Operations,
  type Weights,
} from '../detector'

/** [height, width, channels] of one image's map. */
export type MapShape = readonly [number, number, number]

/** The number of the input images among the values that steps take. */
export const IMAGES = -1

interface Common {
  /** Unique. */
  readonly name: string
  /** Steps, or IMAGES, whose values it takes. */
  readonly from: readonly number[]
  readonly shape: MapShape
}

/** A convolution and its bias, and LeakyReLU 0.1 behind it. */
export interface Convolution extends Common {
  readonly kind: 'conv'
  /** Side of the square kernel. */
  readonly size: number
  readonly stride: number
  /** Zeros on every side. */
  readonly padding: number
  readonly in: number
  readonly out: number
  /** [size, size, in, out] */
  readonly kernel: Float32Array
  readonly bias: Float32Array
  readonly leaky: boolean
}

export type Step =
  | Convolution
  /** Four channels as 2x2 pixels: y[2i+u, 2j+v, c] = x[i, j, (2u + v) * channels + c]. */
  | (Common & { readonly kind: 'depthToSpace' })
  /** Every pixel twice in both directions. */
  | (Common & { readonly kind: 'nearest' })
  | (Common & { readonly kind: 'add' })
  /** Along the channels. */
  | (Common & { readonly kind: 'concat' })
  /** Stride 1, the size is kept. */
  | (Common & { readonly kind: 'maxPool'; readonly size: number })

/** What a detector computes from images to logits, in order. */
export interface Plan {
  /** [height, width] in pixels. */
  readonly input: readonly [number, number]
  readonly steps: readonly Step[]
  /** The steps that give the logits, in the order of the scales. */
  readonly outputs: readonly number[]
  readonly decode: DecodeConfig
}

/**
 * Folds a detector's batch norm, as its own forward pass does, and lists what is left to compute.
 *
 * @throws Error naming a weight that is missing
 */
export function planOf(config: DetectorConfig, weights: Weights): Plan {
  const [height, width] = config.input
  const steps: Step[] = []
  const shapeOf = (value: number): MapShape => (value === IMAGES ? [height, width, 3] : steps[value]!.shape)
  const push = (step: Step): number => steps.push(step) - 1
  const values = (name: string): Float32Array => {
    const found = weights.get(name)
    if (!found) throw new Error(`weight ${name}: the architecture needs it, found none`)
    return found.values
  }
  const convolution = (
    x: number,
    given: Pick<Convolution, 'name' | 'size' | 'stride' | 'out' | 'kernel' | 'bias' | 'leaky'>,
  ): number => {
    const [h, w, inputs] = shapeOf(x)
    const shape: MapShape = [h / given.stride, w / given.stride, given.out]
    const padding = (given.size - 1) / 2
    return push({ ...given, kind: 'conv', from: [x], padding, in: inputs, shape })
  }
  const pooled = (x: number, size: number) =>
    push({ kind: 'maxPool', name: `pool${size}/${steps.length}`, from: [x], size, shape: shapeOf(x) })
  const operations: Operations<number> = {
    conv: (x, { name, kernel: size, stride, out }) => {
      const { kernel, bias } = folded(values, name, (i) => i % out)
      return convolution(x, { name, size, stride, out, kernel, bias, leaky: true })
    },
    deconv: (x, { name, out }) => {
      const [h, w, inputs] = shapeOf(x)
      const { kernel, bias } = folded(values, name, (i) => Math.floor(i / inputs) % out)
      const flat = { kernel: asPointwise(kernel, inputs, out), bias: repeated(bias, 4) }
      const four = convolution(x, { name, size: 1, stride: 1, out: 4 * out, ...flat, leaky: true })
      return push({ kind: 'depthToSpace', name: `${name}/pixels`, from: [four], shape: [2 * h, 2 * w, out] })
    },
    nearest: (x) => {
      const [h, w, channels] = shapeOf(x)
      return push({
        kind: 'nearest',
        name: `nearest/${steps.length}`,
        from: [x],
        shape: [2 * h, 2 * w, channels],
      })
    },
    linear: (x, { name, out }) => {
      const [kernel, bias] = [values(`${name}/kernel`), values(`${name}/bias`)]
      return convolution(x, { name, size: 1, stride: 1, out, kernel, bias, leaky: false })
    },
    add: (a, b) => push({ kind: 'add', name: `add/${steps.length}`, from: [a, b], shape: shapeOf(a) }),
    concat: (from) => {
      const shapes = from.map(shapeOf)
      const channels = shapes.reduce((sum, shape) => sum + shape[2], 0)
      const [h, w] = shapes[0]!
      return push({ kind: 'concat', name: `concat/${steps.length}`, from, shape: [h, w, channels] })
    },
    maxPool: pooled,
  }
  const { outputs } = network(operations, IMAGES, config)
  const { anchors, classes, scaleXY } = config
  return { input: config.input, steps, outputs, decode: { anchors, classes, scaleXY } }
}

/**
 * Batch norm with fixed statistics in a convolution: scale = gamma / sqrt(variance + epsilon) goes into the kernel, beta - mean *
 * scale is the bias. Every operation is rounded to float32, as the forward pass of the library computes it: the same bits.
 *
 * @param channelOf the output channel of a kernel's i-th weight
 */
function folded(
  values: (name: string) => Float32Array,
  layer: string,
  channelOf: (i: number) => number,
): Pick<Convolution, 'kernel' | 'bias'> {
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map((name) =>
    values(`${layer}/${name}`),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array]
  const round = Math.fround
  const scale = gamma.map((value, i) => value / round(Math.sqrt(round(variance[i]! + EPSILON))))
  return {
    kernel: values(`${layer}/kernel`).map((weight, i) => weight * scale[channelOf(i)]!),
    bias: beta.map((shift, i) => shift - round(mean[i]! * scale[i]!)),
  }
}

const EPSILON = Math.fround(BATCH_NORM_EPSILON)

/** A deconvolution's kernel [2, 2, out, in] as that of a 1x1 convolution [1, 1, in, 4 * out]. */
function asPointwise(kernel: Float32Array, inputs: number, out: number): Float32Array {
  const result = new Float32Array(kernel.length)
  for (let place = 0; place < 4; place++)
    for (let channel = 0; channel < out; channel++)
      for (let input = 0; input < inputs; input++)
        result[(input * 4 + place) * out + channel] = kernel[(place * out + channel) * inputs + input]!
  return result
}

function repeated(values: Float32Array, times: number): Float32Array {
  const result = new Float32Array(values.length * times)
  for (let i = 0; i < times; i++) result.set(values, i * values.length)
  return result
}
