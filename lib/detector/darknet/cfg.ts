/** Darknet's cfg files, checked, as a list of layers that refer to one another by absolute index. */
import { z } from 'zod'
import { parseSections, type Section } from './sections'

export interface Shape {
  readonly height: number
  readonly width: number
  readonly channels: number
}

export interface Convolution {
  readonly type: 'convolutional'
  readonly in: number
  readonly filters: number
  readonly size: number
  readonly stride: number
  /** Zeros on every side. */
  readonly padding: number
  readonly batchNormalize: boolean
  /** leaky is LeakyReLU 0.1. */
  readonly activation: 'leaky' | 'linear'
}

/** Decodes the logits of the layer in front of it. */
export interface Yolo {
  readonly type: 'yolo'
  /** [width, height] in pixels of the network's input, those that the mask selects. */
  readonly anchors: readonly (readonly [number, number])[]
  readonly classes: number
  readonly scaleXY: number
}

/** Concatenates channels of earlier layers: of each the `group`-th of `groups` equal parts. */
export interface Route {
  readonly type: 'route'
  readonly layers: readonly number[]
  readonly groups: number
  readonly group: number
}

/** Layers are numbered from 0; `layers` and `from` are such numbers. */
export type DarknetLayer =
  | Convolution
  | Yolo
  | { readonly type: 'maxpool'; readonly size: number; readonly stride: number }
  | { readonly type: 'upsample'; readonly stride: number }
  | Route
  | { readonly type: 'shortcut'; readonly from: number }

export interface DarknetCfg {
  /** Name for error messages. */
  readonly file: string
  readonly input: Shape
  readonly layers: readonly DarknetLayer[]
  /** Shape that each layer gives for an input of the cfg's own size. */
  readonly shapes: readonly Shape[]
  /** Line of each layer's section. */
  readonly lines: readonly number[]
}

const number = z.string().transform((text, context) => {
  const value = Number(text)
  if (text !== '' && Number.isFinite(value)) return value
  context.addIssue({ code: z.ZodIssueCode.custom, message: `expected a number` })
  return z.NEVER
})
const whole = number.pipe(z.number().int())
const count = number.pipe(z.number().int().positive())
const flag = z.enum(['0', '1']).transform((text) => text === '1')
const list = <T extends z.ZodTypeAny>(item: T) =>
  z
    .string()
    .transform((text) => text.replace(/,$/, '').split(','))
    .pipe(z.array(item))

const net = z.object({ width: count, height: count, channels: count.default('3') })
const convolutional = z
  .object({
    filters: count,
    size: count,
    stride: count.default('1'),
    pad: flag.default('0'),
    padding: number.pipe(z.number().int().min(0)).default('0'),
    batch_normalize: flag.default('0'),
    activation: z.enum(['leaky', 'linear']),
    groups: z.literal('1').optional(),
  })
  .strict()
const maxpool = z.object({ size: count, stride: count }).strict()
const upsample = z.object({ stride: count }).strict()
const route = z
  .object({
    layers: list(whole),
    groups: count.default('1'),
    group_id: number.pipe(z.number().int().min(0)).default('0'),
  })
  .strict()
const shortcut = z.object({ from: whole, activation: z.literal('linear').optional() }).strict()
const yolo = z
  .object({
    mask: list(number.pipe(z.number().int().min(0))),
    anchors: list(number.pipe(z.number().positive())).refine(
      (numbers) => numbers.length % 2 === 0,
      'expected pairs of width and height',
    ),
    classes: count,
    num: count,
    scale_x_y: number.default('1'),
    /** 1 is scaled-YOLOv4's other decoding of boxes. */
    new_coords: z.literal('0').optional(),
  })
  .strict()

/** Keys that matter to Darknet's training, its tracking and its own NMS only. */
const TRAINING_KEYS = new Set(
  `jitter ignore_thresh truth_thresh random resize iou_thresh iou_thresh_kind iou_loss iou_normalizer cls_normalizer
  obj_normalizer delta_normalizer uc_normalizer objectness_smooth label_smooth_eps max_delta focal_loss max thresh
  nms_threshold nms_kind beta_nms counters_per_class stopbackward map show_details embedding_layer track_history_size
  sim_thresh dets_for_track dets_for_show track_ciou_norm dontload dontloadscales learning_rate_scale`.split(
    /\s+/,
  ),
)

/**
 * Reads a cfg text of YOLOv3's kind: convolutional, maxpool, upsample, route, shortcut and yolo sections.
 *
 * @param file stands in error messages
 * @throws Error naming file, line, section and key of what is unknown, missing or does not fit
 */
export function parseCfg(text: string, file = 'cfg'): DarknetCfg {
  const [first, ...sections] = parseSections(text, file)
  if (!first || (first.type !== 'net' && first.type !== 'network')) {
    throw new Error(
      `${file}: expected the first section to be [net], found ${first ? `[${first.type}]` : 'none'}`,
    )
  }
  const { width, height, channels } = check(net, first, file)
  const input = { height, width, channels }
  const layers: DarknetLayer[] = []
  const shapes: Shape[] = []
  for (const section of sections) {
    const before = shapes.at(-1) ?? input
    const fail = (message: string): never => {
      throw new Error(`${file}:${section.line}: [${section.type}], layer ${layers.length}: ${message}`)
    }
    const refer = (index: number) => {
      const absolute = index < 0 ? layers.length + index : index
      if (absolute < 0 || absolute >= layers.length) fail(`expected an earlier layer, found ${index}`)
      return absolute
    }
    const { layer, shape } = readLayer(section, before, { file, fail, refer, shapes })
    layers.push(layer)
    shapes.push(shape)
  }
  return { file, input, layers, shapes, lines: sections.map((section) => section.line) }
}

interface Surroundings {
  readonly file: string
  readonly fail: (message: string) => never
  readonly refer: (index: number) => number
  readonly shapes: readonly Shape[]
}

function readLayer(
  section: Section,
  before: Shape,
  { file, fail, refer, shapes }: Surroundings,
): { layer: DarknetLayer; shape: Shape } {
  const text = ({ height, width, channels }: Shape) => `${height}x${width}x${channels}`
  switch (section.type) {
    case 'convolutional': {
      const { filters, size, stride, pad, padding, batch_normalize, activation } = check(
        convolutional,
        section,
        file,
      )
      const zeros = pad ? Math.floor(size / 2) : padding
      const along = (length: number) => Math.floor((length + 2 * zeros - size) / stride) + 1
      const shape = { height: along(before.height), width: along(before.width), channels: filters }
      if (shape.height < 1 || shape.width < 1) fail(`a kernel of ${size} does not fit into ${text(before)}`)
      const layer = {
        type: 'convolutional',
        in: before.channels,
        filters,
        size,
        stride,
        padding: zeros,
        batchNormalize: batch_normalize,
        activation,
      } as const
      return { layer, shape }
    }
    case 'maxpool': {
      const { size, stride } = check(maxpool, section, file)
      // Other strides start their windows (size - 1) / 2 before the map, which TensorFlow's padding does not.
      if (stride !== 1 && !(stride === 2 && size === 2)) {
        fail(`expected stride 1, or size 2 and stride 2, found size ${size} and stride ${stride}`)
      }
      const shape = {
        height: Math.ceil(before.height / stride),
        width: Math.ceil(before.width / stride),
        channels: before.channels,
      }
      return { layer: { type: 'maxpool', size, stride }, shape }
    }
    case 'upsample': {
      const { stride } = check(upsample, section, file)
      const shape = { ...before, height: before.height * stride, width: before.width * stride }
      return { layer: { type: 'upsample', stride }, shape }
    }
    case 'route': {
      const { layers: given, groups, group_id: group } = check(route, section, file)
      const layers = given.map(refer)
      const routed = layers.map((layer) => shapes[layer]!)
      const [head] = routed as [Shape]
      if (group >= groups) fail(`expected group_id below groups=${groups}, found ${group}`)
      if (routed.some(({ channels }) => channels % groups !== 0)) {
        fail(`expected channels in ${groups} equal groups, found ${routed.map(text).join(', ')}`)
      }
      if (routed.some(({ height, width }) => height !== head.height || width !== head.width)) {
        fail(`expected maps of one size, found ${routed.map(text).join(', ')}`)
      }
      const channels = routed.reduce((sum, shape) => sum + shape.channels, 0) / groups
      return { layer: { type: 'route', layers, groups, group }, shape: { ...head, channels } }
    }
    case 'shortcut': {
      const from = refer(check(shortcut, section, file).from)
      const other = shapes[from]!
      if (text(other) !== text(before))
        fail(`expected equal shapes, found ${text(other)} and ${text(before)}`)
      return { layer: { type: 'shortcut', from }, shape: before }
    }
    case 'yolo': {
      const found = check(yolo, section, file)
      const { mask, anchors, classes, num } = found
      if (anchors.length !== 2 * num) fail(`expected num=${num} anchors, found ${anchors.length / 2}`)
      const selected = mask.map((index): readonly [number, number] => {
        if (index >= num) fail(`expected mask below num=${num}, found ${index}`)
        return [anchors[2 * index]!, anchors[2 * index + 1]!]
      })
      const needed = mask.length * (5 + classes)
      if (before.channels !== needed) {
        fail(
          `expected ${mask.length} * (5 + ${classes}) = ${needed} channels in front, found ${before.channels}`,
        )
      }
      return { layer: { type: 'yolo', anchors: selected, classes, scaleXY: found.scale_x_y }, shape: before }
    }
    default:
      return fail(
        'unknown section; known are convolutional, maxpool, upsample, route, shortcut and yolo' +
          (section.type.startsWith('deconv') ? ' (retrain with nearest upsampling)' : ''),
      )
  }
}

function check<T>(schema: z.ZodType<T, z.ZodTypeDef, unknown>, section: Section, file: string): T {
  const entries = [...section.entries].filter(([key]) => !TRAINING_KEYS.has(key))
  const result = schema.safeParse(Object.fromEntries(entries.map(([key, { value }]) => [key, value])))
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const key = issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path[0]
  const entry = typeof key === 'string' ? section.entries.get(key) : undefined
  const found = entry ? `, found "${entry.value}"` : ''
  const isMissing = issue.code === 'invalid_type' && issue.received === 'undefined'
  const message =
    issue.code === 'unrecognized_keys'
      ? 'a key that is not supported here'
      : isMissing
        ? 'expected this key, found none'
        : issue.message
  throw new Error(
    `${file}:${entry?.line ?? section.line}: [${section.type}] ${String(key)}: ${message}${found}`,
  )
}
