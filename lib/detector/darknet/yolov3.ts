/** YOLOv3's own networks: YOLOv3, YOLOv3-SPP and YOLOv3-tiny (Redmon & Farhadi 2018), layer by layer as in their cfg files. */
import { IMAGES, type NetworkSpec } from '../spec'
import { darknetList } from './list'

/** Size and width of a YOLOv3 network. */
export interface Yolov3Options {
  /** [height, width] in pixels, multiples of 32. */
  readonly input?: readonly [number, number]
  readonly classes?: number
  /** Multiplies every width but the outputs', rounded to a multiple of 2. */
  readonly multiplier?: number
}

/** COCO's anchors in pixels, from small to large. */
const ANCHORS = [
  [10, 13],
  [16, 30],
  [33, 23],
  [30, 61],
  [62, 45],
  [59, 119],
  [116, 90],
  [156, 198],
  [373, 326],
] as const
const TINY_ANCHORS = [
  [10, 14],
  [23, 27],
  [37, 58],
  [81, 82],
  [135, 169],
  [344, 319],
] as const

/** Residual blocks of darknet53's five stages. */
const DARKNET53_BLOCKS = [1, 2, 8, 8, 4] as const

const widths = (multiplier: number) => (width: number) =>
  Math.max(2, 2 * Math.round((width * multiplier) / 2))

/** YOLOv3 on darknet53; with SPP one pair of convolutions of the coarsest scale gives way to the pools. */
function yolov3On53(spp: boolean, options: Yolov3Options): NetworkSpec {
  const { input = [608, 608], classes = 80, multiplier = 1 } = options
  const scaled = widths(multiplier)
  const net = darknetList()
  const conv = (x: string, width: number, size: number, stride = 1) =>
    net.conv(x, scaled(width), size, { stride })

  let x = conv(IMAGES, 32, 3)
  const stages = DARKNET53_BLOCKS.map((blocks, i) => {
    const width = 64 * 2 ** i
    x = conv(x, width, 3, 2)
    for (let block = 0; block < blocks; block++) x = net.shortcut(x, conv(conv(x, width / 2, 1), width, 3))
    return x
  })

  /** 1x1 and 3x3 convolutions in turn: `layers` of them, of which the odd ones are 1x1. */
  const alternate = (from: string, width: number, layers: number) => {
    for (let i = 0; i < layers; i++) from = i % 2 === 0 ? conv(from, width, 1) : conv(from, 2 * width, 3)
    return from
  }
  const head = (from: string, width: number, mask: readonly number[]) => {
    const hidden = conv(from, 2 * width, 3)
    const logits = net.conv(hidden, mask.length * (5 + classes), 1, LINEAR)
    net.yolo(logits, select(ANCHORS, mask), classes)
  }
  const pyramid = (from: string) => {
    const pools = [5, 9, 13].map((size) => net.maxpool(from, size, 1))
    return net.route([...pools.reverse(), from])
  }

  let feature = spp ? alternate(pyramid(alternate(x, 512, 3)), 512, 3) : alternate(x, 512, 5)
  head(feature, 512, [6, 7, 8])
  for (const [width, stage, mask] of [
    [256, 3, [3, 4, 5]],
    [128, 2, [0, 1, 2]],
  ] as const) {
    const raised = net.upsample(conv(feature, width, 1))
    feature = alternate(net.route([raised, stages[stage]!]), width, 5)
    head(feature, width, mask)
  }
  return net.network(input)
}

const LINEAR = { batchNorm: false, activation: 'linear' } as const

const select = (anchors: readonly (readonly [number, number])[], mask: readonly number[]) =>
  mask.map((index) => anchors[index]!)

/** YOLOv3, 608x608 and 80 classes unless said otherwise. */
export function yolov3(options: Yolov3Options = {}): NetworkSpec {
  return yolov3On53(false, options)
}

/** YOLOv3 with spatial pyramid pooling. */
export function yolov3Spp(options: Yolov3Options = {}): NetworkSpec {
  return yolov3On53(true, options)
}

/** YOLOv3-tiny, 416x416 and 80 classes unless said otherwise. */
export function yolov3Tiny(options: Yolov3Options = {}): NetworkSpec {
  const { input = [416, 416], classes = 80, multiplier = 1 } = options
  const scaled = widths(multiplier)
  const net = darknetList()
  const conv = (x: string, width: number, size: number) => net.conv(x, scaled(width), size)
  const head = (x: string, mask: readonly number[]) => {
    const logits = net.conv(x, mask.length * (5 + classes), 1, LINEAR)
    net.yolo(logits, select(TINY_ANCHORS, mask), classes)
  }
  let x: string = IMAGES
  for (const width of [16, 32, 64, 128]) x = net.maxpool(conv(x, width, 3), 2, 2)
  const fine = conv(x, 256, 3)
  x = conv(net.maxpool(fine, 2, 2), 512, 3)
  const coarse = conv(conv(net.maxpool(x, 2, 1), 1024, 3), 256, 1)
  head(conv(coarse, 512, 3), [3, 4, 5])
  const raised = net.upsample(conv(coarse, 128, 1))
  head(conv(net.route([raised, fine]), 256, 3), [0, 1, 2])
  return net.network(input)
}
