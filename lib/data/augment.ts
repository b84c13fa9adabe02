import { z } from 'zod'
import type { Random } from '../base'
import { type Colour, chain, gain, reorder, saturate, turnHue } from './colour'
import { iou } from './overlap'
import { compose, type Fit, fitRegion, type Placement, type Region } from './transform'
import type { Box } from './types'

const probability = z.number().min(0).max(1)
const range = z
  .tuple([z.number().positive(), z.number().positive()])
  .refine(([low, high]) => low <= high, 'expected [low, high] with low <= high')
const size = z.tuple([z.number().int().positive(), z.number().int().positive()])

/**
 * Variations of training images. The defaults are those of the embedded profiles: flip, scale, aspect and shift
 * about the centre, and a mild linear change of colour. `false` switches a part off.
 */
export const augmentSchema = z
  .object({
    /** Probability of a left-right flip. */
    flip: probability.default(0.5),
    affine: z
      .object({
        /** Uniform magnification about the centre of the input. */
        scale: range.default([0.85, 1.2]),
        /** Width over height: width times sqrt(aspect), height divided by it; log-uniform. */
        aspect: range.default([0.9, 1 / 0.9]),
        /** Largest shift, as a fraction of the input's width and height. */
        shift: z.number().min(0).max(1).default(0.1),
      })
      .strict()
      .or(z.literal(false))
      .default({}),
    /** Linear colour changes: each amount is uniform in [-x, x]. */
    colour: z
      .object({
        /** Added, as a fraction of full scale. */
        brightness: z.number().min(0).max(1).default(0.1),
        /** Factor 1 + x about middle grey. */
        contrast: z.number().min(0).max(1).default(0.2),
        /** Factor 1 + x about the grey of equal luma. */
        saturation: z.number().min(0).max(1).default(0.3),
        /** Degrees. */
        hue: z.number().min(0).max(180).default(6),
      })
      .strict()
      .or(z.literal(false))
      .default({}),
    /** mmdet's PhotoMetricDistortion (each step with probability 1/2, contrast before or after HSV). */
    photometric: z
      .object({
        /** Largest brightness added, of 255. */
        brightness: z.number().min(0).default(32),
        contrast: range.default([0.5, 1.5]),
        saturation: range.default([0.5, 1.5]),
        /** Largest change of hue, degrees. */
        hue: z.number().min(0).max(180).default(18),
      })
      .strict()
      .or(z.literal(false))
      .default(false),
    /** The frame on a larger, empty canvas (mmdet's Expand). */
    expand: z
      .object({ probability: probability.default(0.5), ratio: range.default([1, 2]) })
      .strict()
      .or(z.literal(false))
      .default(false),
    /** A random patch whose IoU with every box is at least one of `ious` (mmdet's MinIoURandomCrop). */
    minIouCrop: z
      .object({
        ious: z.array(probability).min(1).default([0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        /** Least width and height of the patch as a fraction of the frame's. */
        minSize: probability.default(0.3),
      })
      .strict()
      .or(z.literal(false))
      .default(false),
    /** Input size [height, width] drawn for every batch: each side a multiple of `step` between the two sizes. */
    multiScale: z
      .object({
        from: size.default([160, 448]),
        to: size.default([288, 768]),
        step: z.number().int().positive().default(32),
      })
      .strict()
      .or(z.literal(false))
      .default(false),
    /** A box stays if at least this fraction of its area is left ... */
    minKept: probability.default(0.3),
    /** ... and both sides are at least this long, in pixels of the input. */
    minSide: z.number().min(0).default(2),
  })
  .strict()

/** Random changes of a training image and their chances; what is left out has a default. */
export type AugmentOptions = z.input<typeof augmentSchema>
/** The same with every default filled in. */
export type Augmentation = z.output<typeof augmentSchema>

/** The augmentation of the published training recipe (512x192, darknet21-YOLOv3); its loader has fill 0. */
export const PUBLISHED_AUGMENTATION: AugmentOptions = {
  flip: 0.5,
  affine: false,
  colour: false,
  photometric: {},
  expand: {},
  minIouCrop: {},
  multiScale: {},
}

/** How one image enters a batch: where its pixels go, which of them may be seen, and how colours change. */
export interface View {
  readonly placement: Placement
  readonly visible: Region
  readonly colour: Colour | undefined
}

interface Size {
  readonly width: number
  readonly height: number
}

/**
 * Draws one view of a frame, in the published order: colour, expand, min-IoU crop, resize, flip; then the
 * affine change about the input's centre. The same `random` stream gives the same view.
 */
export function drawView(
  random: Random,
  frame: Size,
  boxes: readonly Box[],
  input: readonly [number, number],
  fit: Fit,
  options: Augmentation,
): View {
  const colour = drawColour(random, options)
  let region: Region = { x1: 0, y1: 0, x2: frame.width, y2: frame.height }
  if (options.expand && random.chance(options.expand.probability))
    region = drawExpand(random, frame, options.expand.ratio)
  if (options.minIouCrop) region = drawMinIouCrop(random, region, boxes, options.minIouCrop)
  let placement = fitRegion(region, input, fit)
  if (random.chance(options.flip)) {
    // Mirrored in place, so that padding stays on the right.
    const span = placement.scaleX * (region.x2 - region.x1)
    placement = compose(placement, { scaleX: -1, shiftX: span, scaleY: 1, shiftY: 0 })
  }
  if (options.affine) placement = compose(placement, drawAffine(random, input, options.affine))
  const visible = {
    x1: Math.max(0, region.x1),
    y1: Math.max(0, region.y1),
    x2: Math.min(frame.width, region.x2),
    y2: Math.min(frame.height, region.y2),
  }
  return { placement, visible, colour }
}

/** The input size of a batch under multi-scale training. */
export function drawInputSize(
  random: Random,
  options: Exclude<Augmentation['multiScale'], false>,
): [number, number] {
  const side = (low: number, high: number) =>
    low + options.step * random.integer(Math.floor((high - low) / options.step) + 1)
  const width = side(options.from[1], options.to[1])
  return [side(options.from[0], options.to[0]), width]
}

function drawAffine(
  random: Random,
  [height, width]: readonly [number, number],
  options: Exclude<Augmentation['affine'], false>,
): Placement {
  const scale = random.uniform(...options.scale)
  const stretch = Math.exp(random.uniform(Math.log(options.aspect[0]), Math.log(options.aspect[1])) / 2)
  const scaleX = scale * stretch
  const scaleY = scale / stretch
  return {
    scaleX,
    shiftX: width * ((1 - scaleX) / 2 + random.uniform(-options.shift, options.shift)),
    scaleY,
    shiftY: height * ((1 - scaleY) / 2 + random.uniform(-options.shift, options.shift)),
  }
}

function drawExpand(random: Random, { width, height }: Size, ratios: readonly [number, number]): Region {
  const ratio = random.uniform(...ratios)
  const left = Math.floor(random.uniform(0, width * ratio - width))
  const top = Math.floor(random.uniform(0, height * ratio - height))
  return { x1: -left, y1: -top, x2: Math.floor(width * ratio) - left, y2: Math.floor(height * ratio) - top }
}

/**
 * Modes are 1 (no crop), the IoUs, and 0 (any patch), equally likely; a mode is abandoned after 50 patches that
 * do not satisfy it. A patch has an aspect between 1/2 and 2 and contains the centre of at least one box.
 */
function drawMinIouCrop(
  random: Random,
  region: Region,
  boxes: readonly Box[],
  options: Exclude<Augmentation['minIouCrop'], false>,
): Region {
  const [width, height] = [region.x2 - region.x1, region.y2 - region.y1]
  for (;;) {
    const mode = random.pick([1, ...options.ious, 0])
    if (mode === 1) return region
    for (let attempt = 0; attempt < 50; attempt++) {
      const w = random.uniform(options.minSize * width, width)
      const h = random.uniform(options.minSize * height, height)
      if (h / w < 0.5 || h / w > 2) continue
      const left = random.uniform(0, width - w)
      const top = random.uniform(0, height - h)
      const patch = {
        x1: region.x1 + Math.floor(left),
        y1: region.y1 + Math.floor(top),
        x2: region.x1 + Math.floor(left + w),
        y2: region.y1 + Math.floor(top + h),
      }
      if (patch.x2 <= patch.x1 || patch.y2 <= patch.y1) continue
      if (boxes.some((box) => iou(patch, box) < mode)) continue
      if (boxes.length === 0 || boxes.some((box) => holdsCentre(patch, box))) return patch
    }
  }
}

/** Whether a box's centre lies strictly inside the patch: mmdet's rule for boxes that a crop keeps. */
export function holdsCentre(patch: Region, box: Box): boolean {
  const x = (box.x1 + box.x2) / 2
  const y = (box.y1 + box.y2) / 2
  return x > patch.x1 && x < patch.x2 && y > patch.y1 && y < patch.y2
}

function drawColour(random: Random, options: Augmentation): Colour | undefined {
  const mild = options.colour ? drawLinear(random, options.colour) : undefined
  if (!options.photometric) return mild && { linear: mild }
  const strong = drawPhotometric(random, options.photometric)
  return mild ? { ...strong, linear: chain(mild, strong.linear) } : strong
}

/** A linear change of colour, its amounts drawn within the given limits. */
export function drawLinear(random: Random, options: Exclude<Augmentation['colour'], false>): Float64Array {
  const amount = (most: number) => random.uniform(-most, most)
  const hue = turnHue(amount(options.hue))
  const colours = saturate(1 + amount(options.saturation))
  const contrast = 1 + amount(options.contrast)
  return chain(chain(hue, colours), gain(contrast, (1 - contrast) / 2 + amount(options.brightness)))
}

/**
 * Brightness, contrast (in half of the cases here), saturation and hue in HSV, contrast (in the other half),
 * and a random order of channels; each with probability 1/2.
 */
function drawPhotometric(random: Random, options: Exclude<Augmentation['photometric'], false>): Colour {
  const half = () => random.chance(0.5)
  const before = gain(1, half() ? random.uniform(-options.brightness, options.brightness) / 255 : 0)
  const early = half()
  const contrast = gain(half() ? random.uniform(...options.contrast) : 1)
  const saturation = half() ? random.uniform(...options.saturation) : 1
  const hue = half() ? random.uniform(-options.hue, options.hue) : 0
  const order = reorder(half() ? [...random.permutation(3)] : [0, 1, 2])
  const linear = early ? chain(before, contrast) : before
  const after = early ? order : chain(contrast, order)
  if (saturation === 1 && hue === 0) return { linear: chain(linear, after) }
  return { linear, hsv: { saturation, hue, after } }
}
