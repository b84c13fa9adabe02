import type { Operations } from './operations'
import type { BackboneWidths, DetectorConfig, NamedFeatures } from './types'

/** Residual blocks of darknet21's five stages. */
export const BLOCKS = [1, 1, 2, 2, 1] as const

/** Sides of SPP's pools, in the order of concatenation (He et al. 2015, as in yolov3-spp). */
const SPP_POOLS = [13, 9, 5] as const

/**
 * Backbone darknet21: a stem, then five stages of a stride-2 convolution and residual blocks (1x1, 3x3, add).
 * Redmon & Farhadi 2018, table 1, with fewer blocks.
 *
 * @returns the outputs of stages 3, 4 and 5 (strides 8, 16, 32)
 */
export function darknet21<T>(ops: Operations<T>, images: T, widths: BackboneWidths): readonly [T, T, T] {
  const part = 'backbone'
  let x = ops.conv(images, { name: 'stem', part, kernel: 3, stride: 1, out: widths.in[0]! })
  let mid = 0
  const stages = BLOCKS.map((blocks, i) => {
    const out = widths.out[i]!
    x = ops.conv(x, { name: `stage${i + 1}/down`, part, kernel: 3, stride: 2, out })
    for (let block = 1; block <= blocks; block++) {
      const name = `stage${i + 1}/block${block}`
      const reduced = ops.conv(x, {
        name: `${name}/reduce`,
        part,
        kernel: 1,
        stride: 1,
        out: widths.mid[mid++]!,
      })
      x = ops.add(x, ops.conv(reduced, { name: `${name}/expand`, part, kernel: 3, stride: 1, out }))
    }
    return x
  })
  return [stages[2]!, stages[3]!, stages[4]!]
}

/**
 * Neck: detect1 (three convolutions, SPP, three more) on C5, then twice a 1x1 convolution, upsampling by 2, concatenation
 * with the finer backbone map and five convolutions.
 *
 * @returns one map per scale, strides 32, 16, 8
 */
export function neck<T>(ops: Operations<T>, [c3, c4, c5]: readonly [T, T, T], config: DetectorConfig): T[] {
  const part = 'neck'
  const conv = (x: T, name: string, kernel: number, out: number) =>
    ops.conv(x, { name: `neck/${name}`, part, kernel, stride: 1, out })
  const detect = (x: T, scale: number, first: number, kernels: readonly number[]) =>
    kernels.reduce(
      (y, kernel, i) => conv(y, `detect${scale}/${first + i}`, kernel, config.neck[scale - 1]!),
      x,
    )
  const up = (x: T, scale: number) => {
    const out = config.neck[scale - 1]!
    const routed = conv(x, `route${scale}`, 1, out)
    return config.upsample === 'deconv'
      ? ops.deconv(routed, { name: `neck/up${scale}`, part, out })
      : ops.nearest(routed)
  }
  const before = detect(c5, 1, 1, [1, 3, 1])
  const pooled = config.spp
    ? ops.concat([...SPP_POOLS.map((size) => ops.maxPool(before, size)), before])
    : before
  const coarse = detect(pooled, 1, 4, [1, 3, 1])
  const middle = detect(ops.concat([up(coarse, 2), c4]), 2, 1, [1, 3, 1, 3, 1])
  const fine = detect(ops.concat([up(middle, 3), c3]), 3, 1, [1, 3, 1, 3, 1])
  return [coarse, middle, fine]
}

/** Head: on every scale a 3x3 convolution of the same width and a 1x1 convolution to anchors * (5 + classes). */
export function head<T>(ops: Operations<T>, features: readonly T[], config: DetectorConfig): T[] {
  const part = 'head'
  return features.map((feature, i) => {
    const out = config.neck[i]!
    const hidden = ops.conv(feature, { name: `head/${i + 1}/conv`, part, kernel: 3, stride: 1, out })
    const channels = config.anchors[i]!.length * (5 + config.classes)
    return ops.linear(hidden, { name: `head/${i + 1}/output`, part, out: channels })
  })
}

/** The whole detector: backbone, neck, head. */
export function network<T>(
  ops: Operations<T>,
  images: T,
  config: DetectorConfig,
): { outputs: T[]; features: T[]; named: NamedFeatures<T> } {
  const stages = darknet21(ops, images, config.backbone)
  const features = neck(ops, stages, config)
  const [C3, C4, C5] = stages
  const [detect1, detect2, detect3] = features as [T, T, T]
  const named = { C3, C4, C5, detect1, detect2, detect3 }
  return { outputs: head(ops, features, config), features, named }
}
