/** The network by its parts, as drawings show it: stages, and what stands at every scale. */
import { type Layer, layersOf } from './layers'
import { BLOCKS } from './network'
import { type DetectorConfig, STRIDES } from './types'

export interface Stage {
  /** `stem`, `stage 1`, ..., `stage 3 (C3)`. */
  readonly title: string
  /** Its first convolution, whose output has the stage's shape. */
  readonly layer: Layer
  /** Its convolution and residual blocks with their inner widths, in words. */
  readonly detail: string
}

export interface Scale {
  /** The last convolution of detect1, detect2 or detect3. */
  readonly detect: Layer
  /** The convolution that gives the logits. */
  readonly output: Layer
  /** The 1x1 convolution on the way up to this scale; none at the coarsest. */
  readonly route: Layer | undefined
}

/** Stem and stages from fine to coarse; scales in the order of STRIDES, from coarse to fine. */
export function outlineOf(config: DetectorConfig): {
  readonly stages: readonly Stage[]
  readonly scales: readonly Scale[]
} {
  const { layers } = layersOf(config)
  const find = (name: string) => layers.find((layer) => layer.name === name)
  const named = (name: string): Layer => {
    const layer = find(name)
    if (!layer) throw new Error(`layer ${name}: expected it in the architecture, found none`)
    return layer
  }
  const stages = BLOCKS.map((blocks, i): Stage => {
    const mids = Array.from({ length: blocks }, (_, b) => named(`stage${i + 1}/block${b + 1}/reduce`).out)
    return {
      title: `stage ${i + 1}${i >= 2 ? ` (C${i + 1})` : ''}`,
      layer: named(`stage${i + 1}/down`),
      detail: `3×3 /2, ${blocks} residual block${blocks > 1 ? 's' : ''} (${mids.join(', ')})`,
    }
  })
  const scales = STRIDES.map((_, i): Scale => {
    const scale = i + 1
    return {
      detect: named(`neck/detect${scale}/${scale === 1 ? 6 : 5}`),
      output: named(`head/${scale}/output`),
      route: find(`neck/route${scale}`),
    }
  })
  return { stages: [{ title: 'stem', layer: named('stem'), detail: '3×3' }, ...stages], scales }
}
