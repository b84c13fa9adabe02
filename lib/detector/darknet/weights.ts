/**
 * Darknet's weights files: a header of int32 major, minor, revision and the number of images seen (64 bits from version
 * 0.2 on, else 32), then for every convolution, in the order of the cfg, float32 numbers: biases; with batch norm
 * scales, rolling means and rolling variances; and the kernel [filters][channels][size][size]. Little-endian.
 */
import type { Convolution, DarknetCfg } from './cfg'

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

export interface DarknetWeights {
  readonly version: readonly [major: number, minor: number, revision: number]
  /** Images that the network was trained on. */
  readonly seen: bigint
  /** One for every convolutional layer of the cfg. */
  readonly convolutions: readonly ConvolutionWeights[]
}

/** The convolutional layers with their numbers among all layers. */
export function convolutionsOf(cfg: DarknetCfg): { readonly index: number; readonly layer: Convolution }[] {
  return cfg.layers.flatMap((layer, index) => (layer.type === 'convolutional' ? [{ index, layer }] : []))
}

const kernelSize = (layer: Convolution) => layer.filters * layer.in * layer.size ** 2

function numbersOf(layer: Convolution): number {
  return kernelSize(layer) + layer.filters * (layer.batchNormalize ? 4 : 1)
}

/** Numbers that a weights file of this cfg holds, running statistics included. */
export function countNumbers(cfg: DarknetCfg): number {
  return convolutionsOf(cfg).reduce((sum, { layer }) => sum + numbersOf(layer), 0)
}

const wideSeen = (major: number, minor: number) => major * 10 + minor >= 2 && major < 1000 && minor < 1000
const grouped = (value: number) => value.toLocaleString('en-US')

/**
 * Reads the bytes of a weights file.
 *
 * @param file stands in error messages
 * @throws Error when the file is shorter or longer than the cfg asks for: the layer, the numbers expected and found
 */
export function decodeWeights(bytes: Uint8Array, cfg: DarknetCfg, file = 'weights'): DarknetWeights {
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
  const numbers = Math.floor((bytes.length - header) / 4)
  const asked = `${cfg.file} asks for ${grouped(countNumbers(cfg))} in all`
  let at = 0
  const take = (count: number) => {
    const start = bytes.byteOffset + header + 4 * at
    at += count
    return new Float32Array(bytes.buffer.slice(start, start + 4 * count))
  }
  const convolutions = convolutionsOf(cfg).map(({ index, layer }): ConvolutionWeights => {
    const needed = numbersOf(layer)
    if (at + needed > numbers) {
      throw new Error(
        `${file}: layer ${index} (${layer.size}x${layer.size}, ${layer.in} -> ${layer.filters}): expected ` +
          `${grouped(needed)} numbers, found ${grouped(numbers - at)} left of ${grouped(numbers)}; ${asked}`,
      )
    }
    const biases = take(layer.filters)
    const norm = layer.batchNormalize
      ? { scales: take(layer.filters), means: take(layer.filters), variances: take(layer.filters) }
      : undefined
    const kernel = take(kernelSize(layer))
    return norm ? { biases, norm, kernel } : { biases, kernel }
  })
  if (header + 4 * at !== bytes.length) {
    throw new Error(
      `${file}: ${asked}, found ${grouped((bytes.length - header) / 4)}; take the cfg that the file was trained with`,
    )
  }
  convolutionsOf(cfg).forEach(({ index }, i) => {
    const { biases, norm, kernel } = convolutions[i]!
    expectNumbers({ biases, ...norm, kernel }, `${file}: layer ${index}`)
  })
  return {
    version: [major, minor, view.getInt32(8, true)],
    seen: wideSeen(major, minor) ? view.getBigUint64(12, true) : BigInt(view.getUint32(12, true)),
    convolutions,
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

/** @throws Error naming the first layer whose weights have other numbers than the cfg asks for */
export function checkWeights(cfg: DarknetCfg, { convolutions }: DarknetWeights): void {
  const layers = convolutionsOf(cfg)
  if (layers.length !== convolutions.length) {
    throw new Error(
      `${cfg.file}: expected weights of ${layers.length} convolutions, found ${convolutions.length}`,
    )
  }
  layers.forEach(({ index, layer }, i) => {
    const { biases, norm, kernel } = convolutions[i]!
    const vectors = [biases, ...(norm ? [norm.scales, norm.means, norm.variances] : [])]
    if (
      kernel.length !== kernelSize(layer) ||
      vectors.some((vector) => vector.length !== layer.filters) ||
      (norm !== undefined) !== layer.batchNormalize
    ) {
      throw new Error(
        `${cfg.file}: layer ${index}: expected a kernel of ${kernelSize(layer)}, ${layer.filters} biases and ` +
          `${layer.batchNormalize ? 'batch norm' : 'no batch norm'}, found ${kernel.length}, ` +
          `${vectors.map(({ length }) => length).join('/')} and ${norm ? 'batch norm' : 'none'}`,
      )
    }
  })
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
