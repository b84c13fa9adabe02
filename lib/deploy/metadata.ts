/** What every file says of itself. */
import { z } from 'zod'
import { DECODE_DEFAULTS } from '../detector'
import type { Plan } from '../quantise/plan'
import { batchSchema, type FileOptions, HEADS, PIXELS, PRECISIONS } from './options'
import { outputsOf } from './outputs'

/** Formats by the names that the command line and benchmarks use. */
export const FORMATS = ['checkpoint', 'darknet', 'saved-model', 'onnx', 'tflite', 'tfjs'] as const
/** A format of exported files. */
export type FileFormat = (typeof FORMATS)[number]

const size = z.number().int().positive()
const hash = z.string()

export const metadataSchema = z
  .object({
    /** Names in the order of their numbers. */
    classes: z.array(z.string()),
    /** [scale][anchor] = [width, height] in pixels, scales as the outputs. */
    anchors: z.array(z.array(z.tuple([z.number(), z.number()]))),
    /** s in bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride, of each scale. */
    scaleXY: z.array(z.number()),
    strides: z.array(size),
    /** [height, width] in pixels. */
    input: z.tuple([size, size]),
    /** Of logits, and of pixels that are floats. NHWC: [n, h, w, c]; NCHW: [n, c, h, w]. */
    layout: z.enum(['NHWC', 'NCHW']),
    /** `float`: red, green, blue as 0..1; `uint8`: as bytes, always [n, h, w, 3]. */
    pixels: z.enum(PIXELS),
    head: z.enum(HEADS),
    outputs: z.array(z.string()),
    batch: batchSchema,
    precision: z.enum(PRECISIONS),
    /** Whether the convolutions that give the logits are in int8 too, and which runtimes its pattern is for. */
    int8Head: z.boolean().optional(),
    target: z.string().optional(),
    /** What the final detections are found by. */
    decode: z
      .object({
        objectness: z.number(),
        perScale: z.number(),
        classProbability: z.number(),
        iou: z.number(),
        limit: z.number(),
      })
      .strict(),
    /** SHA-256 of the checkpoint's numbers, and of the calibration. */
    checkpoint: hash,
    calibration: hash.optional(),
  })
  .strict()

/** What an exported file says of itself: classes, shapes, decoding, origin. */
export type Metadata = z.infer<typeof metadataSchema>

/** Describes a file that is made of a plan. */
export function metadataOf(
  plan: Plan,
  options: FileOptions,
  about: Pick<Metadata, 'classes' | 'layout' | 'checkpoint' | 'calibration' | 'int8Head' | 'target'>,
): Metadata {
  const { anchors, scaleXY, strides } = plan.decode
  const { head, batch, pixels, precision } = options
  return {
    classes: about.classes,
    anchors: anchors.map((scale) => scale.map(([width, height]) => [width, height] as [number, number])),
    scaleXY: [...scaleXY],
    strides: [...strides],
    input: [...plan.input],
    layout: about.layout,
    pixels,
    head,
    outputs: outputsOf(plan, head).map(({ name }) => name),
    batch,
    precision,
    ...(about.int8Head !== undefined && { int8Head: about.int8Head }),
    ...(about.target !== undefined && { target: about.target }),
    decode: { ...DECODE_DEFAULTS },
    checkpoint: about.checkpoint,
    ...(about.calibration !== undefined && { calibration: about.calibration }),
  }
}

/** One text for every key, as ONNX keeps them: JSON each. */
export function metadataTexts(metadata: Metadata): Map<string, string> {
  return new Map(Object.entries(metadata).map(([key, value]) => [key, JSON.stringify(value)]))
}
