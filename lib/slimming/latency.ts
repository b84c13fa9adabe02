/** How long a network takes on this machine, by layer and width: what a budget in milliseconds is met with. */
import { latencyFrom, timeInTurns } from '../base'
import { Detector, IMAGES, isDepthwise, layersOf, type NetworkSpec, type WeightedLayer } from '../detector'
import { compile, type Tensor, tf } from '../engine'

/** How a network's time is measured. */
export interface LatencyOptions {
  /** Timed calls of which the median counts, after as many without a clock. */
  readonly calls?: number
  /** Shares of a layer's channels at which it is measured, ascending, the last of them 1. */
  readonly shares?: readonly number[]
  /** Milliseconds of a network's call; by default as it is timed here. Another device's times, for example. */
  readonly measure?: (network: NetworkSpec) => number
  readonly signal?: AbortSignal
  /** Called with the layers done and their number. */
  readonly onProgress?: (done: number, total: number) => void
}

/** One pixel: what is left is the call. */
const NOTHING: NetworkSpec = {
  input: [1, 1],
  channels: 1,
  layers: [
    {
      ...{
        kind: 'convolution',
        name: 'nothing',
        part: 'head',
        from: IMAGES,
        kernel: 1,
        stride: 1,
        padding: 0,
        groups: 1,
      },
      ...{ out: 1, batchNorm: false, activation: 'linear' },
    },
  ],
  features: { map: 'nothing' },
}

const CALLS = 15
const SHARES = [0.125, 0.25, 0.5, 0.75, 1] as const

/** Milliseconds of a layer by its numbers of channels; batch 1, this machine, as many threads as this process has. */
export interface LatencyTable {
  /** Numbers of channels in and out at which layers were measured, ascending, and [in][out] milliseconds, by layer. */
  readonly layers: ReadonlyMap<
    string,
    {
      readonly in: readonly number[]
      readonly out: readonly number[]
      readonly milliseconds: readonly (readonly number[])[]
    }
  >
  /** What a call takes beside its layers. */
  readonly call: number
  /** Of the whole network that was measured. */
  readonly total: number
}

/**
 * Measures every layer with weights at several widths, and the network as a whole. Layers that are alike are measured once.
 *
 * @throws the signal's reason when it aborts
 */
export function measureLatency(network: NetworkSpec, options: LatencyOptions = {}): LatencyTable {
  const { shares = SHARES, signal, onProgress } = options
  const { layers } = layersOf(network)
  const call = measureNetwork(NOTHING, options)
  const known = new Map<string, number[][]>()
  const table = new Map<string, { in: number[]; out: number[]; milliseconds: number[][] }>()
  for (const [i, layer] of layers.entries()) {
    signal?.throwIfAborted()
    const inputs = widthsAt(layer.in, layer.groups, shares)
    const outputs = widthsAt(layer.out, layer.groups, shares)
    const { kind, kernel, stride, groups, inputSize, batchNorm, activation } = layer
    const key = JSON.stringify([
      kind,
      kernel,
      stride,
      groups,
      inputSize,
      batchNorm,
      activation,
      inputs,
      outputs,
    ])
    const milliseconds =
      known.get(key) ??
      inputs.map((width) =>
        outputs.map((out) => Math.max(0, measureNetwork(alone(network, layer, width, out), options) - call)),
      )
    known.set(key, milliseconds)
    table.set(layer.name, { in: inputs, out: outputs, milliseconds })
    onProgress?.(i + 1, layers.length)
  }
  return { layers: table, call, total: measureNetwork(network, options) }
}

/** Milliseconds of a network's forward pass: median, batch 1. */
export function measureNetwork(network: NetworkSpec, options: LatencyOptions = {}): number {
  return options.measure?.(network) ?? timed(network, options)
}

/**
 * Milliseconds that a narrower form of the measured network takes by the table: of every layer what was measured nearest to its
 * widths (linear between), times what the whole network took over the sum of its layers; and what a call takes.
 *
 * @throws Error when it has layers that were not measured
 */
export function latencyOf(network: NetworkSpec, { layers, call, total }: LatencyTable): number {
  let [sum, whole] = [0, 0]
  const there = layersOf(network).layers
  for (const { name, in: inputs, out } of there) {
    const found = layers.get(name)
    if (!found)
      throw new Error(
        `latency: expected a time of layer ${name} in the table, found none; measure this network`,
      )
    sum += interpolated(found, inputs, out)
  }
  for (const { milliseconds } of layers.values()) whole += milliseconds.at(-1)!.at(-1)!
  return call + (sum * (total - call)) / whole
}

function interpolated(
  {
    in: inputs,
    out,
    milliseconds,
  }: { in: readonly number[]; out: readonly number[]; milliseconds: readonly (readonly number[])[] },
  width: number,
  channels: number,
): number {
  const [i, x] = placeIn(inputs, width)
  const [j, y] = placeIn(out, channels)
  const at = (a: number, b: number) =>
    milliseconds[Math.min(a, inputs.length - 1)]![Math.min(b, out.length - 1)]!
  return (
    (1 - x) * ((1 - y) * at(i, j) + y * at(i, j + 1)) + x * ((1 - y) * at(i + 1, j) + y * at(i + 1, j + 1))
  )
}

/** The index of the largest entry that is not above the value, and how far on the way to the next one it is. */
function placeIn(ascending: readonly number[], value: number): readonly [number, number] {
  if (value <= ascending[0]!) return [0, 0]
  const next = ascending.findIndex((entry) => entry > value)
  if (next < 0) return [ascending.length - 1, 0]
  const [low, high] = [ascending[next - 1]!, ascending[next]!]
  return [next - 1, (value - low) / (high - low)]
}

/** Numbers of channels at the given shares; the groups of a layer stay equal. */
function widthsAt(channels: number, groups: number, shares: readonly number[]): number[] {
  const unit = groups > 1 && channels % groups === 0 ? groups : 1
  const widths = shares.map((share) => Math.max(unit, unit * Math.round((share * channels) / unit)))
  return [...new Set(widths)]
}

/** A network of one layer. */
function alone(network: NetworkSpec, layer: WeightedLayer, inputs: number, out: number): NetworkSpec {
  const original = network.layers.find(({ name }) => name === layer.name)!
  if (original.kind !== 'convolution' && original.kind !== 'deconvolution')
    throw new Error(`latency: expected a layer with weights, found ${original.kind}`)
  const depthwise = isDepthwise(layer.groups, layer.in, layer.out)
  const groups = original.kind === 'convolution' ? { groups: depthwise ? inputs : layer.groups } : {}
  return {
    input: layer.inputSize,
    channels: inputs,
    layers: [{ ...original, ...groups, from: IMAGES, out: depthwise ? inputs : out }],
    features: { map: layer.name },
  }
}

function timed(network: NetworkSpec, { calls = CALLS }: LatencyOptions): number {
  const detector = Detector.create(network, 1)
  const forward = compile(
    (images: Tensor) => {
      const { outputs, named } = detector.forward(images as tf.Tensor4D, { training: false })
      return outputs.length > 0 ? [...outputs] : Object.values(named)
    },
    { name: 'latency' },
  )
  const images = tf.zeros([1, ...network.input, network.channels])
  const call = () => {
    const outputs = forward(images)
    for (const output of outputs) output.dataSync()
    tf.dispose(outputs)
  }
  try {
    const [times] = timeInTurns([call], { calls, warmUp: calls })
    return latencyFrom(times!).median
  } finally {
    images.dispose()
    forward.dispose()
    detector.dispose()
  }
}
