/** A network as data: an ordered, named list of layers, as plain JSON. */
import { z } from 'zod'
import type { Schema } from '../base'

/** Where a layer belongs in the counts and drawings, and what is pruned together: see `Operations`. */
export type Part = 'backbone' | 'neck' | 'head'

/** What follows the sum: x; LeakyReLU 0.1; max(x, 0); x tanh(log(1 + e^x)); x sigmoid(x); sigmoid(x). */
export const ACTIVATIONS = ['linear', 'leaky', 'relu', 'mish', 'swish', 'logistic'] as const
/** An activation function of a convolution. */
export type Activation = (typeof ACTIVATIONS)[number]

/** The name by which the first layers take the images. */
export const IMAGES = 'images'

/** Name of the feature that is the map in front of a head, 0 for the first yolo layer's. */
export const featureOfHead = (head: number) => `detect${head + 1}`

interface Common {
  /** Unique; weights are called `<name>/kernel` and so on. */
  readonly name: string
  readonly part: Part
  /** Keys of a Darknet section that say nothing about the network, kept as they stood. */
  readonly darknet?: { readonly [key: string]: string }
}

/** A layer that takes one map: of an earlier layer, or IMAGES. */
interface Single extends Common {
  readonly from: string
}

/** Convolution, then batch norm or else a bias, then the activation. */
export interface Convolution extends Single {
  readonly kind: 'convolution'
  /** Side of the square kernel. */
  readonly kernel: number
  readonly stride: number
  /** Zeros on every side. */
  readonly padding: number
  /** The channels in and out are cut into as many equal parts, each of which sees its own alone. */
  readonly groups: number
  readonly out: number
  readonly batchNorm: boolean
  readonly activation: Activation
}

/** Transposed convolution that multiplies both sides by `stride`: zeros (kernel - stride) / 2 wide are cut off. */
export interface Deconvolution extends Single {
  readonly kind: 'deconvolution'
  readonly kernel: number
  readonly stride: number
  readonly out: number
  readonly batchNorm: boolean
  readonly activation: Activation
}

/** The largest value of every window. */
export interface MaxPool extends Single {
  readonly kind: 'maxPool'
  readonly size: number
  readonly stride: number
  /**
   * Cells that count for nothing on both sides together, floor(padding / 2) of them in front, as in Darknet: the map gets
   * floor((length + padding - size) / stride) + 1 cells.
   */
  readonly padding: number
}

/** Repeats every pixel `stride` times along both sides. */
export interface Upsample extends Single {
  readonly kind: 'upsample'
  readonly stride: number
}

/** Channels of several maps one behind the other; of each the `groupId`-th of `groups` equal parts. */
export interface Route extends Common {
  readonly kind: 'route'
  readonly from: readonly string[]
  readonly groups: number
  readonly groupId: number
}

/**
 * The sum of several maps of one size, then the activation. It has the channels of the first: of a wider one the first
 * channels are added, a narrower one adds to the first channels only (Darknet's shortcut).
 */
export interface Shortcut extends Common {
  readonly kind: 'shortcut'
  readonly from: readonly string[]
  readonly activation: Activation
}

/** Takes logits [n, h, w, anchors * (5 + classes)], anchor-major: tx ty tw th obj class... */
export interface Yolo extends Single {
  readonly kind: 'yolo'
  /** [width, height] in pixels of the network's input. */
  readonly anchors: readonly (readonly [number, number])[]
  readonly classes: number
  /** s in bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride. */
  readonly scaleXY: number
}

/** One layer of a network. */
export type Layer = Convolution | Deconvolution | MaxPool | Upsample | Route | Shortcut | Yolo

/** Everything that fixes a network but its weights. A pruned network is the same list with other widths. */
export interface NetworkSpec {
  /** [height, width] in pixels. */
  readonly input: readonly [number, number]
  /** Channels of the images. */
  readonly channels: number
  /** In the order in which they run: a layer takes maps of earlier ones only. */
  readonly layers: readonly Layer[]
  /**
   * Maps that others may ask for, by name, as the layer that gives each. `C3`, `C4`, ... are the backbone's at strides
   * 8, 16, ...; `detect1`, `detect2`, ... the maps in front of the heads, in the order of the yolo layers.
   */
  readonly features: { readonly [name: string]: string }
  /** Keys of Darknet's [net] section that say nothing about the network, kept as they stood. */
  readonly darknet?: { readonly [key: string]: string }
}

const whole = z.number().int()
const positive = whole.positive()
const activation = z.enum(ACTIVATIONS)
const kept = z.record(z.string()).optional()
const name = z
  .string()
  .regex(/^[\w.-]+(\/[\w.-]+)*$/, 'expected letters, digits, "_", "." and "-", in parts between "/"')
const common = { name, part: z.enum(['backbone', 'neck', 'head']), darknet: kept }
const single = { ...common, from: z.string() }

const layerSchema = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('convolution'),
      ...single,
      kernel: positive,
      stride: positive,
      padding: whole.min(0),
      groups: positive,
      out: positive,
      batchNorm: z.boolean(),
      activation,
    })
    .strict(),
  z
    .object({
      kind: z.literal('deconvolution'),
      ...single,
      kernel: positive,
      stride: positive,
      out: positive,
      batchNorm: z.boolean(),
      activation,
    })
    .strict(),
  z
    .object({
      kind: z.literal('maxPool'),
      ...single,
      size: positive,
      stride: positive,
      padding: whole.min(0),
    })
    .strict(),
  z.object({ kind: z.literal('upsample'), ...single, stride: positive }).strict(),
  z
    .object({
      kind: z.literal('route'),
      ...common,
      from: z.array(z.string()).min(1),
      groups: positive,
      groupId: whole.min(0),
    })
    .strict(),
  z.object({ kind: z.literal('shortcut'), ...common, from: z.array(z.string()).min(2), activation }).strict(),
  z
    .object({
      kind: z.literal('yolo'),
      ...single,
      anchors: z.array(z.tuple([z.number().positive(), z.number().positive()])).min(1),
      classes: positive,
      scaleXY: z.number().min(1),
    })
    .strict(),
])

/** A network as it stands in a JSON file. What its layers take is checked by `checkNetwork`. */
export const networkSchema: Schema<NetworkSpec> = z
  .object({
    input: z.tuple([positive, positive]),
    channels: positive,
    layers: z.array(layerSchema).min(1),
    features: z.record(z.string()),
    darknet: kept,
  })
  .strict()
