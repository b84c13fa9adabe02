/** The networks that oracle/darknet.py runs through OpenCV, narrowed or in full. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ConvolutionWeights,
  convolutionsOf,
  type DarknetWeights,
  darknet21,
  encodeWeights,
  type NetworkSpec,
  networkCfg,
  parseCfg,
  toDarknet,
  type Weights,
  yolov3,
  yolov3Spp,
  yolov3Tiny,
} from '../../lib/detector'
import { planPruning, prune } from '../../lib/slimming'
import { Lcg } from './lcg'
import { drawnWeights, narrowDetector } from './support'

const PUBLISHED = {
  yolov3: { build: yolov3, title: 'YOLOv3' },
  'yolov3-spp': { build: yolov3Spp, title: 'YOLOv3-SPP' },
  'yolov3-tiny': { build: yolov3Tiny, title: 'YOLOv3-tiny' },
} as const

/** The published networks slimmed to half their MACs, neck and head too; of one size only. */
export const SLIM = {
  'yolov3-slim': 'yolov3',
  'yolov3-spp-slim': 'yolov3-spp',
  'yolov3-tiny-slim': 'yolov3-tiny',
} as const

/** `forms` and `more` are cfgs by hand, of one size only. */
const SEEDS = {
  ...{ yolov3: 11, 'yolov3-spp': 12, 'yolov3-tiny': 13, darknet21: 14, forms: 15, more: 16 },
  ...{ 'yolov3-slim': 17, 'yolov3-spp-slim': 18, 'yolov3-tiny-slim': 19 },
} as const
export type Name = keyof typeof SEEDS
export const NAMES = Object.keys(SEEDS) as Name[]

const isPublished = (name: string): name is keyof typeof PUBLISHED => name in PUBLISHED

/** Weights drawn in the order of the file; shrunken residual branches keep 23 of them from adding up. */
function drawn(network: NetworkSpec, random: Lcg): DarknetWeights {
  const convolutions = convolutionsOf(network).map(({ layer }): ConvolutionWeights => {
    const { out: filters, groups, kernel: size } = layer
    const inputs = layer.in / groups
    const biases = random.uniform(filters, -0.2, 0.2)
    const bound = Math.sqrt(6 / (inputs * size ** 2))
    const kernel = () => random.uniform(filters * inputs * size ** 2, -bound, bound)
    if (!layer.batchNorm) return { biases, kernel: kernel() }
    const scales = random.uniform(filters, 0.4, 0.8)
    const means = random.uniform(filters, -0.1, 0.1)
    const variances = random.uniform(filters, 0.5, 1.5)
    return { biases, norm: { scales, means, variances }, kernel: kernel() }
  })
  return { version: [0, 2, 0], seen: 32013312n, convolutions }
}

export interface Files {
  readonly cfg: string
  readonly weights: Uint8Array
  /** [height, width] of the image, and its values [h, w, 3]. */
  readonly size: readonly [number, number]
  readonly image: Float32Array
}

/** A network pruned by its scales to half its MACs, wherever its channels may go. */
export function slim(network: NetworkSpec, weights: Weights) {
  const rules = { prunable: 'all', floor: 0, cap: 1, multiple: 1 } as const
  return prune(
    network,
    weights,
    planPruning(network, weights, { ...rules, budget: { of: 'macs', percent: 50 } }),
  )
}

/** A network's two files and an image to run through it. */
export function darknetCase(name: Name, full = false): Files {
  const random = new Lcg(SEEDS[name])
  const slimmed = Object.entries(SLIM).find(([slim]) => slim === name)?.[1]
  const options = full ? {} : { input: [96, 160] as const, classes: 2, multiplier: 1 / 16 }
  const build = (): { cfg: string; weights: DarknetWeights } => {
    if (name === 'darknet21') {
      const network = full
        ? darknet21(undefined, { upsample: 'nearest' })
        : narrowDetector({ upsample: 'nearest', input: [96, 160], classes: 2 })
      const { weights } = toDarknet(network, drawnWeights(network, random), 1234)
      return { cfg: networkCfg(network, 'darknet21-YOLOv3'), weights }
    }
    if (name === 'forms' || name === 'more') {
      const cfg = readFileSync(join(__dirname, `oracle/${name}.cfg`), 'utf8')
      return { cfg, weights: drawn(parseCfg(cfg).network, random) }
    }
    const published = slimmed ?? name
    if (!isPublished(published)) throw new Error(`expected a published network, found ${published}`)
    const { build: of, title } = PUBLISHED[published]
    const network = of(slimmed ? { ...options, multiplier: 1 / 8 } : options)
    if (!slimmed) return { cfg: networkCfg(network, title), weights: drawn(network, random) }
    const small = slim(network, drawnWeights(network, random))
    return toDarknet(small.network, small.weights)
  }
  const { cfg, weights } = build()
  const [height, width] = parseCfg(cfg).network.input
  const image = random.uniform(height * width * 3, 0, 1)
  return { cfg, weights: encodeWeights(weights), size: [height, width], image }
}
