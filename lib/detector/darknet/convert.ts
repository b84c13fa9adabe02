/** Weights in Darknet's files and in this library. */
import { initialWeights, type Weights } from '../detector'
import type { WeightedLayer } from '../layers'
import type { NetworkSpec } from '../spec'
import { BATCH_NORM_EPSILON } from '../tensors'
import { fromDarknetKernel, type KernelSize, toDarknetKernel } from './kernels'
import { type ConvolutionWeights, convolutionsOf, type DarknetWeights } from './weights'
import { networkCfg } from './writer'

/**
 * Batch norm's epsilon when Darknet's weights are run: y = scale * (x - mean) / sqrt(variance + 1e-6) + bias, as OpenCV
 * reads them. Darknet's first version adds 1e-6 to the square root instead, a later one 1e-5 to the variance; the three
 * differ where a variance is near 1e-5 or less.
 */
const DARKNET_EPSILON = 1e-6

const epsilonRatio = (variance: number) =>
  Math.sqrt((variance + DARKNET_EPSILON) / (variance + BATCH_NORM_EPSILON))

const sizeOf = ({ kernel, in: inputs, groups, out }: WeightedLayer): KernelSize => ({
  size: kernel,
  in: inputs / groups,
  filters: out,
})

/**
 * A network as Darknet's files. Gammas are multiplied by sqrt((variance + 1e-6) / (variance + 1e-5)), so that a reader
 * with Darknet's epsilon computes what this library computes with its own.
 *
 * @param seen number of images that it was trained on
 * @throws Error for a deconvolution, which Darknet's files cannot say, or a weight that is missing
 */
export function toDarknet(
  network: NetworkSpec,
  weights: Weights,
  seen = 0,
): { cfg: string; weights: DarknetWeights } {
  const convolutions = convolutionsOf(network).map(({ layer }): ConvolutionWeights => {
    const values = (name: string) => {
      const found = weights.get(`${layer.name}/${name}`)
      if (!found) throw new Error(`weight ${layer.name}/${name}: the architecture needs it, found none`)
      return found.values
    }
    const kernel = toDarknetKernel(values('kernel'), sizeOf(layer))
    if (!layer.batchNorm) return { biases: Float32Array.from(values('bias')), kernel }
    const [means, variances] = [Float32Array.from(values('mean')), Float32Array.from(values('variance'))]
    const scales = values('gamma').map((gamma, i) => gamma * epsilonRatio(variances[i]!))
    return { biases: Float32Array.from(values('beta')), norm: { scales, means, variances }, kernel }
  })
  return { cfg: networkCfg(network), weights: { version: [0, 2, 5], seen: BigInt(seen), convolutions } }
}

/**
 * The weights of a network from Darknet's, the inverse of `toDarknet`. Where the file ends early the other layers keep their
 * initial values.
 *
 * @param seed of the initial values
 * @returns `initial`: names of the layers that the file says nothing of
 * @throws Error naming the first layer whose numbers do not fit
 */
export function fromDarknet(
  network: NetworkSpec,
  { convolutions }: Pick<DarknetWeights, 'convolutions'>,
  seed = 1,
): { weights: Weights; initial: readonly string[] } {
  const layers = convolutionsOf(network)
  if (convolutions.length > layers.length)
    throw new Error(`expected weights of ${layers.length} convolutions, found ${convolutions.length}`)
  const missing = layers.length > convolutions.length ? initialWeights(network, seed) : new Map()
  const weights = new Map<string, { shape: number[]; values: Float32Array }>()
  layers.forEach(({ index, layer }, i) => {
    const found = convolutions[i]
    if (!found) {
      for (const [name, values] of missing) if (name.startsWith(`${layer.name}/`)) weights.set(name, values)
      return
    }
    checkLayer(index, layer, found)
    for (const [suffix, shape, values] of layerWeights(layer, found))
      weights.set(`${layer.name}/${suffix}`, { shape, values })
  })
  return { weights, initial: layers.slice(convolutions.length).map(({ layer }) => layer.name) }
}

function layerWeights(
  layer: WeightedLayer,
  { biases, norm, kernel }: ConvolutionWeights,
): [string, number[], Float32Array][] {
  const { size, in: inputs, filters } = sizeOf(layer)
  const own = fromDarknetKernel(kernel, { size, in: inputs, filters })
  const vector = (name: string, values: Float32Array): [string, number[], Float32Array] => [
    name,
    [filters],
    Float32Array.from(values),
  ]
  const shaped: [string, number[], Float32Array] = ['kernel', [size, size, inputs, filters], own]
  if (!norm) return [shaped, vector('bias', biases)]
  const { scales, means, variances } = norm
  const gammas = scales.map((scale, channel) => scale / epsilonRatio(variances[channel]!))
  return [
    shaped,
    vector('gamma', gammas),
    vector('beta', biases),
    vector('mean', means),
    vector('variance', variances),
  ]
}

function checkLayer(index: number, layer: WeightedLayer, { biases, norm, kernel }: ConvolutionWeights): void {
  const { size, in: inputs, filters } = sizeOf(layer)
  const numbers = filters * inputs * size ** 2
  const vectors = [biases, ...(norm ? [norm.scales, norm.means, norm.variances] : [])]
  if (
    kernel.length === numbers &&
    vectors.every((vector) => vector.length === filters) &&
    (norm !== undefined) === layer.batchNorm
  )
    return
  throw new Error(
    `layer ${index}: expected a kernel of ${numbers}, ${filters} biases and ` +
      `${layer.batchNorm ? 'batch norm' : 'no batch norm'}, found ${kernel.length}, ` +
      `${vectors.map(({ length }) => length).join('/')} and ${norm ? 'batch norm' : 'none'}`,
  )
}
