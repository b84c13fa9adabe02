/**
 * Darknet's weights files: a header of int32 major, minor, revision and the number of images seen (64 bits from version
 * 0.2 on, else 32), then for every convolution, in the order of the cfg, float32 numbers: biases; with batch norm
 * scales, rolling means and rolling variances; and the kernel [filters][channels][size][size]. Little-endian.
 */
import { layersOf, type WeightedLayer } from '../layers'
import type { NetworkSpec } from '../spec'

/** The numbers of a convolutional layer, as Darknet stores them. */
export interface ConvolutionWeights {
  readonly biases: Float32Array
  /** Only with batch norm. */
  readonly norm?: {
    readonly scales: Float32Array
    readonly means: Float32Array
    readonly variances: Float32Array
  }
  /** [filters][channels][size][size]. */
  readonly kernel: Float32Array
}

/** A Darknet weights file. */
export interface DarknetWeights {
  readonly version: readonly [major: number, minor: number, revision: number]
  /** Images that the network was trained on. */
  readonly seen: bigint
  /** Of the convolutional layers in the order of the cfg: of all, or of the first ones. */
  readonly convolutions: readonly ConvolutionWeights[]
}

/**
 * The layers with weights, with their numbers among all layers.
 *
 * @throws Error for a deconvolution, for which Darknet's files have no place
 */
export function convolutionsOf(
  network: NetworkSpec,
): { readonly index: number; readonly layer: WeightedLayer }[] {
  return layersOf(network).layers.map((layer) => {
    if (layer.kind === 'deconvolution')
      throw new Error(
        `layer "${layer.name}": expected a convolution, found a deconvolution, for which neither OpenCV nor current ` +
          'Darknet versions have a section; train with nearest upsampling, or save a checkpoint instead',
      )
    return { index: network.layers.findIndex(({ name }) => name === layer.name), layer }
  })
}

const kernelSize = (layer: WeightedLayer) => (layer.out * layer.in * layer.kernel ** 2) / layer.groups

function numbersOf(layer: WeightedLayer): number {
  return kernelSize(layer) + layer.out * (layer.batchNorm ? 4 : 1)
}

/** Numbers that a weights file of this network holds, running statistics included. */
export function countNumbers(network: NetworkSpec): number {
  return convolutionsOf(network).reduce((sum, { layer }) => sum + numbersOf(layer), 0)
}

const wideSeen = (major: number, minor: number) => major * 10 + minor >= 2 && major < 1000 && minor < 1000
const grouped = (value: number) => value.toLocaleString('en-US')

/** How errors speak of the two files. */
export interface WeightsPlace {
  readonly file?: string
  readonly cfg?: string
}

/**
 * Reads the bytes of a weights file. One that ends early, between two layers, holds the first ones alone: `darknet53.conv.74`
 * has the weights of 52 convolutions.
 *
 * @throws Error when the file ends within a layer, or is longer than the network asks for: the layer, the numbers expected and
 *   found
 */
export function decodeWeights(
  bytes: Uint8Array,
  network: NetworkSpec,
  { file = 'weights', cfg = 'the network' }: WeightsPlace = {},
): DarknetWeights {
  const { version, seen, header } = readHeader(bytes, file)
  const numbers = Math.floor((bytes.length - header) / 4)
  const layers = convolutionsOf(network)
  const asked = `${cfg} asks for ${grouped(countNumbers(network))} in all`
  let at = 0
  const take = (count: number) => {
    const start = bytes.byteOffset + header + 4 * at
    at += count
    return new Float32Array(bytes.buffer.slice(start, start + 4 * count))
  }
  const convolutions: ConvolutionWeights[] = []
  for (const { index, layer } of layers) {
    if (header + 4 * at === bytes.length && convolutions.length > 0) break
    const needed = numbersOf(layer)
    if (at + needed > numbers) {
      const { kernel, in: inputs, out } = layer
      throw new Error(
        `${file}: layer ${index} (${kernel}x${kernel}, ${inputs} -> ${out}): expected ` +
          `${grouped(needed)} numbers, found ${grouped(numbers - at)} left of ${grouped(numbers)}; ${asked}`,
      )
    }
    const biases = take(layer.out)
    const norm = layer.batchNorm
      ? { scales: take(layer.out), means: take(layer.out), variances: take(layer.out) }
      : undefined
    const kernel = take(kernelSize(layer))
    expectNumbers({ biases, ...norm, kernel }, `${file}: layer ${index}`)
    convolutions.push(norm ? { biases, norm, kernel } : { biases, kernel })
  }
  if (header + 4 * at !== bytes.length) {
    throw new Error(
      `${file}: ${asked}, found ${grouped((bytes.length - header) / 4)}; take the cfg that the file was trained with`,
    )
  }
  return { version, seen, convolutions }
}

function readHeader(
  bytes: Uint8Array,
  file: string,
): Omit<DarknetWeights, 'convolutions'> & { header: number } {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1')
  if (/^\s*<(!doctype|html|\?xml)/i.test(start))
    throw new Error(`${file}: expected Darknet's weights, found a web page; download the file itself`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [major, minor] = bytes.length >= 8 ? [view.getInt32(0, true), view.getInt32(4, true)] : [0, 0]
  const header = wideSeen(major, minor) ? 20 : 16
  if (bytes.length < header) {
    throw new Error(`${file}: expected a header of ${header} bytes, found ${bytes.length} bytes in all`)
  }
  if (major > 1000 || minor > 1000) {
    throw new Error(`${file}: version ${major}.${minor} stores transposed kernels, which are not supported`)
  }
  return {
    header,
    version: [major, minor, view.getInt32(8, true)],
    seen: wideSeen(major, minor) ? view.getBigUint64(12, true) : BigInt(view.getUint32(12, true)),
  }
}

/** Refuses what no network computes with: NaN, infinity, and variances below 0. */
function expectNumbers(arrays: { readonly [name: string]: Float32Array }, place: string): void {
  for (const [name, values] of Object.entries(arrays)) {
    const least = name === 'variances' ? 0 : -Infinity
    const at = values.findIndex((value) => !(Number.isFinite(value) && value >= least))
    if (at >= 0)
      throw new Error(
        `${place}: expected ${name === 'variances' ? 'variances of at least 0' : `finite ${name}`}, found ${values[at]} at ${at}; ` +
          'the training diverged, or the cfg belongs to another file',
      )
  }
}

/**
 * The bytes of a weights file; `decodeWeights` of them gives the same weights.
 *
 * @throws RangeError when the number of images seen does not fit into the version's header
 */
export function encodeWeights({ version, seen, convolutions }: DarknetWeights): Uint8Array {
  const [major, minor, revision] = version
  const bits = wideSeen(major, minor) ? 64 : 32
  if (seen < 0n || seen >= 1n << BigInt(bits)) {
    throw new RangeError(
      `images seen: expected ${bits} bits in version ${major}.${minor} of the file, found ${seen}`,
    )
  }
  const header = 12 + bits / 8
  const arrays = convolutions.flatMap(({ biases, norm, kernel }) =>
    norm ? [biases, norm.scales, norm.means, norm.variances, kernel] : [biases, kernel],
  )
  const bytes = new Uint8Array(header + 4 * arrays.reduce((sum, array) => sum + array.length, 0))
  const view = new DataView(bytes.buffer)
  view.setInt32(0, major, true)
  view.setInt32(4, minor, true)
  view.setInt32(8, revision, true)
  if (bits === 64) view.setBigUint64(12, seen, true)
  else view.setUint32(12, Number(seen), true)
  let at = header
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at)
    at += array.byteLength
  }
  return bytes
}
