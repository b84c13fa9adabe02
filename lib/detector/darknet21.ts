/** darknet21-YOLOv3, the published run's network: its widths as data, and the list of layers that they give. */
import { z } from 'zod'
import { parseDocument } from '../base'
import { type Convolution, featureOfHead, IMAGES, type Layer, type NetworkSpec, type Part } from './spec'

/** Channels of darknet21: `in[i] -> out[i]` for the five stride-2 convs, `mid` for the seven residual blocks. */
export interface BackboneWidths {
  readonly in: readonly number[]
  readonly out: readonly number[]
  readonly mid: readonly number[]
}

/** All that `darknet21` takes, as profiles and trials say it. */
export interface Darknet21Config {
  /** [height, width] in pixels, multiples of 32. */
  readonly input: readonly [number, number]
  readonly classes: number
  readonly backbone: BackboneWidths
  /** Channels of the neck at strides 32, 16, 8 (published: 512, 256, 128). */
  readonly neck: readonly [number, number, number]
  readonly upsample: 'deconv' | 'nearest'
  readonly spp: boolean
  /** [scale][anchor] = [width, height] in pixels; scales in the order of strides 32, 16, 8. */
  readonly anchors: readonly (readonly (readonly [number, number])[])[]
  /** s in bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride. */
  readonly scaleXY: number
}

/** Residual blocks of darknet21's five stages. */
export const BLOCKS = [1, 1, 2, 2, 1] as const
/** Sides of SPP's pools, in the order of concatenation (He et al. 2015, as in yolov3-spp). */
const SPP_POOLS = [13, 9, 5] as const
/** Every stage halves the image. */
const COARSEST = 2 ** BLOCKS.length

const width = z.number().int().positive()
const side = z
  .number()
  .refine((pixels) => pixels > 0 && pixels % COARSEST === 0, `expected a multiple of ${COARSEST} pixels`)
const anchor = z.tuple([z.number().positive(), z.number().positive()])

/** What a darknet21-YOLOv3 is made of, as it stands in a JSON file. */
export const darknet21Schema: z.ZodType<Darknet21Config, z.ZodTypeDef, unknown> = z
  .object({
    input: z.tuple([side, side]),
    classes: z.number().int().positive(),
    backbone: z
      .object({ in: z.array(width).length(5), out: z.array(width).length(5), mid: z.array(width).length(7) })
      .strict()
      .refine(
        (widths) => widths.in.slice(1).every((channels, i) => channels === widths.out[i]),
        'expected every stage to take what the one before gives (in[i + 1] = out[i])',
      ),
    neck: z.tuple([width, width, width]),
    upsample: z.enum(['deconv', 'nearest']),
    spp: z.boolean(),
    anchors: z.array(z.array(anchor).min(1)).length(3),
    scaleXY: z.number().min(1),
  })
  .strict()

/** darknet21, the teacher of the published run. */
export const TEACHER_WIDTHS: BackboneWidths = {
  in: [32, 64, 128, 256, 512],
  out: [64, 128, 256, 512, 1024],
  mid: [32, 64, 128, 128, 256, 256, 512],
}

/** The published student, as Network Slimming left it. */
export const STUDENT_WIDTHS: BackboneWidths = {
  in: [26, 44, 84, 80, 26],
  out: [44, 84, 80, 26, 52],
  mid: [26, 52, 104, 104, 122, 130, 26],
}

/** The published run: 512x192, 8 classes, deconvolution, SPP; anchors in pixels of that input. */
export const PUBLISHED_OPTIONS: Omit<Darknet21Config, 'backbone'> = {
  input: [192, 512],
  classes: 8,
  neck: [512, 256, 128],
  upsample: 'deconv',
  spp: true,
  anchors: [
    [
      [24, 18],
      [43, 32],
      [98, 75],
    ],
    [
      [10, 7],
      [17, 9],
      [12, 15],
    ],
    [
      [3, 7],
      [6, 5],
      [5, 11],
    ],
  ],
  scaleXY: 2,
}

/**
 * The published teacher's widths multiplied and rounded to multiples of 2.
 *
 * @param multiplier 1 is the published network; 0.25 costs about a sixteenth of its operations
 */
export function scaledWidths(multiplier: number): Pick<Darknet21Config, 'backbone' | 'neck'> {
  const scale = (channels: number) => Math.max(2, 2 * Math.round((channels * multiplier) / 2))
  const [coarse, middle, fine] = PUBLISHED_OPTIONS.neck
  return {
    backbone: {
      in: TEACHER_WIDTHS.in.map(scale),
      out: TEACHER_WIDTHS.out.map(scale),
      mid: TEACHER_WIDTHS.mid.map(scale),
    },
    neck: [scale(coarse), scale(middle), scale(fine)],
  }
}

/**
 * darknet21-YOLOv3 as a list of layers. Backbone: a stem, then five stages of a stride-2 convolution and residual blocks
 * (1x1, 3x3, add), as Redmon & Farhadi 2018, table 1, with fewer blocks. Neck: six convolutions at stride 32 with SPP among
 * them, then twice a 1x1 convolution, upsampling by 2, the finer backbone map beside it and five convolutions. Heads: a 3x3
 * convolution of the same width and a 1x1 convolution to anchors * (5 + classes).
 *
 * @param options replace single ones of the published run's
 * @throws Error naming the key of widths or options that describe no network
 */
export function darknet21(
  widths: BackboneWidths = TEACHER_WIDTHS,
  options: Partial<Omit<Darknet21Config, 'backbone'>> = {},
): NetworkSpec {
  const given = { ...PUBLISHED_OPTIONS, ...options, backbone: widths }
  const config = parseDocument(given, darknet21Schema, 'darknet21')
  const list = layerList()
  const stages = backbone(list, widths)
  const features = neck(list, stages, config)
  heads(list, features, config)
  const [, , C3, C4, C5] = stages
  const detect = Object.fromEntries(features.map((layer, head) => [featureOfHead(head), layer]))
  const named = { C3: C3!, C4: C4!, C5: C5!, ...detect }
  return { input: config.input, channels: 3, layers: list.layers, features: named }
}

type LayerList = ReturnType<typeof layerList>

/** A growing list of layers; every function adds one and returns its name. */
function layerList() {
  const layers: Layer[] = []
  const add = (layer: Layer): string => {
    layers.push(layer)
    return layer.name
  }
  const block = { batchNorm: true, activation: 'leaky' } as const
  return {
    layers,
    add,
    conv(
      from: string,
      name: string,
      part: Part,
      kernel: number,
      out: number,
      more: Partial<Convolution> = {},
    ) {
      const padding = (kernel - 1) / 2
      const own = { kernel, stride: 1, padding, groups: 1, out, ...block, ...more }
      return add({ kind: 'convolution', name, part, from, ...own })
    },
    deconv(from: string, name: string, part: Part, out: number) {
      return add({ kind: 'deconvolution', name, part, from, kernel: 2, stride: 2, out, ...block })
    },
    concat(from: readonly string[], name: string, part: Part) {
      return add({ kind: 'route', name, part, from, groups: 1, groupId: 0 })
    },
  }
}

/** @returns the names of the stages' last layers, strides 2 to 32 */
function backbone({ add, conv }: LayerList, widths: BackboneWidths): string[] {
  const part = 'backbone'
  let x = conv(IMAGES, 'stem', part, 3, widths.in[0]!)
  let mid = 0
  return BLOCKS.map((blocks, i) => {
    const out = widths.out[i]!
    x = conv(x, `stage${i + 1}/down`, part, 3, out, { stride: 2 })
    for (let block = 1; block <= blocks; block++) {
      const name = `stage${i + 1}/block${block}`
      const expanded = conv(
        conv(x, `${name}/reduce`, part, 1, widths.mid[mid++]!),
        `${name}/expand`,
        part,
        3,
        out,
      )
      x = add({ kind: 'shortcut', name: `${name}/add`, part, from: [x, expanded], activation: 'linear' })
    }
    return x
  })
}

/** @returns the names of the maps in front of the heads, strides 32, 16, 8 */
function neck(list: LayerList, stages: readonly string[], config: Darknet21Config): string[] {
  const part = 'neck'
  const [, , c3, c4, c5] = stages as readonly [string, string, string, string, string]
  const detect = (x: string, scale: number, first: number, kernels: readonly number[]) =>
    kernels.reduce(
      (y, kernel, i) =>
        list.conv(y, `neck/detect${scale}/${first + i}`, part, kernel, config.neck[scale - 1]!),
      x,
    )
  /** The coarser scale's map, enlarged, beside the backbone's. */
  const join = (x: string, map: string, scale: number) => {
    const out = config.neck[scale - 1]!
    const from = list.conv(x, `neck/route${scale}`, part, 1, out)
    const name = `neck/up${scale}`
    const up =
      config.upsample === 'deconv'
        ? list.deconv(from, name, part, out)
        : list.add({ kind: 'upsample', name, part, from, stride: 2 })
    return list.concat([up, map], `neck/concat${scale}`, part)
  }
  const before = detect(c5, 1, 1, [1, 3, 1])
  const pool = (size: number) =>
    list.add({
      ...{ kind: 'maxPool', name: `neck/pool${size}`, part, from: before },
      ...{ size, stride: 1, padding: size - 1 },
    })
  const pooled = config.spp ? list.concat([...SPP_POOLS.map(pool), before], 'neck/spp', part) : before
  const coarse = detect(pooled, 1, 4, [1, 3, 1])
  const middle = detect(join(coarse, c4, 2), 2, 1, [1, 3, 1, 3, 1])
  const fine = detect(join(middle, c3, 3), 3, 1, [1, 3, 1, 3, 1])
  return [coarse, middle, fine]
}

function heads({ add, conv }: LayerList, features: readonly string[], config: Darknet21Config): void {
  const { anchors, classes, scaleXY } = config
  features.forEach((feature, i) => {
    const name = `head/${i + 1}`
    const hidden = conv(feature, `${name}/conv`, 'head', 3, config.neck[i]!)
    const linear = { batchNorm: false, activation: 'linear' } as const
    const from = conv(hidden, `${name}/output`, 'head', 1, anchors[i]!.length * (5 + classes), linear)
    add({ kind: 'yolo', name: `${name}/yolo`, part: 'head', from, anchors: anchors[i]!, classes, scaleXY })
  })
}
