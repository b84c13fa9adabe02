/** Detectors of this library as Darknet's files, and back. */
import { isDeepStrictEqual } from 'node:util'
import { BATCH_NORM_EPSILON, type Weights } from '../detector'
import { type Layer, layersOf } from '../layers'
import { network } from '../network'
import type { Operations } from '../operations'
import { type DetectorConfig, STRIDES } from '../types'
import { type DarknetCfg, type DarknetLayer, parseCfg } from './cfg'
import { fromDarknetKernel, toDarknetKernel } from './kernels'
import { DARKNET_EPSILON, decodingOf } from './network'
import { type ConvolutionWeights, checkWeights, convolutionsOf, type DarknetWeights } from './weights'
import { cfgWriter, IMAGES } from './writer'

/**
 * A detector's architecture as a cfg text.
 *
 * @throws Error for deconvolutions, which OpenCV and current Darknet versions have no section for
 */
export function detectorCfg(config: DetectorConfig): string {
  if (config.upsample !== 'nearest') {
    throw new Error(
      `Darknet export: expected upsample "nearest", found "${config.upsample}", for which neither OpenCV nor ` +
        'current Darknet versions have a section; train with "nearest", or save a checkpoint instead',
    )
  }
  const net = cfgWriter(config.input, 'darknet21-YOLOv3')
  // Darknet's files list anchors from small to large, that is from the finest scale.
  const scales = config.anchors.map((anchors, scale) => ({ anchors, scale })).reverse()
  const anchors = scales.flatMap((entry) => entry.anchors)
  const firsts = new Map<number, number>()
  let first = 0
  for (const entry of scales) {
    firsts.set(entry.scale, first)
    first += entry.anchors.length
  }
  let scale = 0
  const operations: Operations<number> = {
    conv: (x, { out, kernel, stride }) => net.conv(x, { filters: out, size: kernel, stride }),
    deconv: () => {
      throw new Error('Darknet export: a deconvolution has no section')
    },
    nearest: (x) => net.upsample(x),
    linear: (x, { out }) => {
      const logits = net.conv(x, { filters: out, size: 1, linear: true })
      const mask = config.anchors[scale]!.map((_, i) => firsts.get(scale)! + i)
      scale++
      net.yolo(logits, { anchors, mask, classes: config.classes, scaleXY: config.scaleXY })
      return logits
    },
    add: (a, b) => net.shortcut(a, b),
    concat: (layers) => net.route(layers),
    maxPool: (x, size) => net.maxpool(x, size, 1),
  }
  network(operations, IMAGES, config)
  return net.text()
}

/**
 * A detector as Darknet's files. Gammas are multiplied by sqrt((variance + 1e-6) / (variance + 1e-5)), so that a reader
 * with Darknet's epsilon computes what the detector computes with its own.
 *
 * @param seen number of images that it was trained on
 */
export function toDarknet(
  config: DetectorConfig,
  weights: Weights,
  seen = 0,
): { cfg: string; weights: DarknetWeights } {
  const cfg = detectorCfg(config)
  const convolutions = layersOf(config).layers.map((layer): ConvolutionWeights => {
    const values = (name: string) => {
      const found = weights.get(`${layer.name}/${name}`)
      if (!found) throw new Error(`weight ${layer.name}/${name}: the architecture needs it, found none`)
      return found.values
    }
    const kernel = toDarknetKernel(values('kernel'), sizeOf(layer))
    if (layer.kind === 'linear') return { biases: Float32Array.from(values('bias')), kernel }
    const [means, variances] = [Float32Array.from(values('mean')), Float32Array.from(values('variance'))]
    const scales = values('gamma').map((gamma, i) => gamma * epsilonRatio(variances[i]!))
    return { biases: Float32Array.from(values('beta')), norm: { scales, means, variances }, kernel }
  })
  return { cfg, weights: { version: [0, 2, 5], seen: BigInt(seen), convolutions } }
}

/**
 * A detector from Darknet's files, the inverse of `toDarknet`.
 *
 * @throws Error naming the first layer in which the cfg is not that of a darknet21-YOLOv3, or whose weights do not fit it
 */
export function fromDarknet(
  cfg: DarknetCfg,
  weights: DarknetWeights,
): { config: DetectorConfig; weights: Weights } {
  const config = detectorConfigOf(cfg)
  checkWeights(cfg, weights)
  const result = new Map<string, { shape: number[]; values: Float32Array }>()
  layersOf(config).layers.forEach((layer, i) => {
    const { biases, norm, kernel } = weights.convolutions[i]!
    const set = (name: string, shape: number[], values: Float32Array) =>
      result.set(`${layer.name}/${name}`, { shape, values })
    const size = sizeOf(layer)
    set('kernel', [size.size, size.size, size.in, size.filters], fromDarknetKernel(kernel, size))
    if (!norm) {
      set('bias', [layer.out], Float32Array.from(biases))
      return
    }
    const { scales, means, variances } = norm
    const gammas = scales.map((scale, channel) => scale / epsilonRatio(variances[channel]!))
    set('gamma', [layer.out], gammas)
    set('beta', [layer.out], Float32Array.from(biases))
    set('mean', [layer.out], Float32Array.from(means))
    set('variance', [layer.out], Float32Array.from(variances))
  })
  return { config, weights: result }
}

const sizeOf = ({ kernel, in: inputs, out }: Layer) => ({ size: kernel, in: inputs, filters: out })

const epsilonRatio = (variance: number) =>
  Math.sqrt((variance + DARKNET_EPSILON) / (variance + BATCH_NORM_EPSILON))

/** The widths stand where a darknet21-YOLOv3 has them; the cfg must then be the one that they give. */
function detectorConfigOf(cfg: DarknetCfg): DetectorConfig {
  const convolutions = convolutionsOf(cfg)
  const spp = cfg.layers.some((layer) => layer.type === 'maxpool')
  const pattern = layersOf(PATTERN).layers
  if (convolutions.length !== pattern.length) {
    const found = convolutions.length
    throw new Error(
      `${cfg.file}: expected the ${pattern.length} convolutions of a darknet21-YOLOv3, found ${found}`,
    )
  }
  const width = (position: number) => convolutions[position]!.layer.filters
  const widths = (name: RegExp) => pattern.flatMap((layer, i) => (name.test(layer.name) ? [width(i)] : []))
  const out = widths(/^stage\d\/down$/)
  const [coarse, middle, fine] = widths(/^head\/\d\/conv$/)
  const decoding = decodingOf(cfg)
  if (decoding.anchors.length !== STRIDES.length) {
    throw new Error(
      `${cfg.file}: expected ${STRIDES.length} [yolo] sections, as a darknet21-YOLOv3 has, found ${decoding.anchors.length}`,
    )
  }
  const config: DetectorConfig = {
    ...decoding,
    input: [cfg.input.height, cfg.input.width],
    backbone: { in: [width(0), ...out.slice(0, -1)], out, mid: widths(/^stage\d\/block\d\/reduce$/) },
    neck: [coarse!, middle!, fine!],
    upsample: 'nearest',
    spp,
  }
  const expected = parseCfg(detectorCfg(config), 'the detector')
  cfg.layers.forEach((layer, i) => {
    if (isDeepStrictEqual(layer, expected.layers[i])) return
    throw new Error(
      `${cfg.file}:${cfg.lines[i]}: layer ${i} is not that of a darknet21-YOLOv3: expected ` +
        `${describe(expected.layers[i])}, found ${describe(layer)}`,
    )
  })
  return config
}

const describe = (layer: DarknetLayer | undefined) => (layer ? JSON.stringify(layer) : 'no layer')

/** Any detector with nearest upsampling: its layers' names stand in the order of every other one's. */
const PATTERN: DetectorConfig = {
  input: [32, 32],
  classes: 1,
  backbone: { in: [2, 2, 2, 2, 2], out: [2, 2, 2, 2, 2], mid: [2, 2, 2, 2, 2, 2, 2] },
  neck: [2, 2, 2],
  upsample: 'nearest',
  spp: true,
  anchors: [[[1, 1]], [[1, 1]], [[1, 1]]],
  scaleXY: 1,
}
