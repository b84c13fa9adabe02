import {
  type Darknet21Config,
  darknet21,
  type NetworkSpec,
  PUBLISHED_OPTIONS,
  type Weights,
} from '../../lib/detector'
import type { PruningOptions } from '../../lib/slimming'
import oracle from './oracle/prune.json'

/** Float32 values that the oracle stores as base64. */
export function unpack(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

export interface OracleCase {
  readonly name: string
  readonly config: Darknet21Config
  readonly network: NetworkSpec
  readonly weights: Weights
  readonly options: PruningOptions
  readonly expected: (typeof oracle.cases)[number]
}

/** The oracle's prunings of one tiny network. */
export function oracleCases(): OracleCase[] {
  const stored = Object.entries(oracle.weights)
  return oracle.cases.map((expected) => {
    const [coarse, middle, fine] = oracle.neck as [number, number, number]
    const config: Darknet21Config = {
      ...PUBLISHED_OPTIONS,
      backbone: oracle.backbone,
      input: oracle.input as [number, number],
      classes: oracle.classes,
      neck: [coarse, middle, fine],
      upsample: expected.upsample as 'deconv' | 'nearest',
      spp: expected.spp,
    }
    const weights = new Map(
      stored
        .filter(([key]) => expected.upsample === 'deconv' || !key.startsWith('neck/up'))
        .map(([key, { shape, values }]) => {
          const unpacked = unpack(values)
          if (key !== 'neck/detect1/4/kernel' || expected.spp) return [key, { shape, values: unpacked }]
          // Without pools the convolution behind them takes `coarse` channels: the kernel's first rows.
          return [key, { shape: [1, 1, coarse, coarse], values: unpacked.slice(0, coarse * coarse) }]
        }),
    )
    const options = expected.options as PruningOptions
    const network = darknet21(config.backbone, config)
    return { name: JSON.stringify(options), config, network, weights, options, expected }
  })
}
