/** Darknet's cfg files as networks. */
import { z } from 'zod'
import { checkNetwork } from '../check'
import {
  ACTIVATIONS,
  IMAGES,
  type Layer,
  type MaxPool,
  type NetworkSpec,
  type Route,
  type Shortcut,
  type Yolo,
} from '../spec'
import { withParts } from './parts'
import { parseSections, type Section } from './sections'

/** A network read from a Darknet cfg file. */
export interface DarknetCfg {
  /** Name for error messages. */
  readonly file: string
  /** One layer for every section, in their order: `conv0`, `maxpool1`, ... by the numbers that Darknet gives them. */
  readonly network: NetworkSpec
  /** Sentences on what was read in another way than it may have been meant. */
  readonly warnings: readonly string[]
}

const number = z.string().transform((text, context) => {
  const value = Number(text)
  if (text !== '' && Number.isFinite(value)) return value
  context.addIssue({ code: z.ZodIssueCode.custom, message: `expected a number` })
  return z.NEVER
})
const whole = number.pipe(z.number().int())
const count = number.pipe(z.number().int().positive())
const least0 = number.pipe(z.number().int().min(0))
const flag = z.enum(['0', '1']).transform((text) => text === '1')
const list = <T extends z.ZodTypeAny>(item: T) =>
  z
    .string()
    .transform((text) => text.replace(/,$/, '').split(','))
    .pipe(z.array(item))
/** Keys that change what a section computes, with the value at which they do not. */
const neutral = (keys: { readonly [key: string]: string }) =>
  Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, z.literal(value).optional()]))

const net = z.object({ width: count, height: count, channels: count.default('3') })
const activation = z.enum(ACTIVATIONS)
/** One stride for both directions, as it is given or in two keys. */
const strides = (one: string) => ({
  stride: count.default(one),
  stride_x: count.optional(),
  stride_y: count.optional(),
})
const convolutional = z.object({
  filters: count.default('1'),
  size: count.default('1'),
  ...strides('1'),
  pad: flag.default('0'),
  padding: least0.default('0'),
  batch_normalize: flag.default('0'),
  activation: activation.default('logistic'),
  groups: count.default('1'),
  ...neutral({
    dilation: '1',
    binary: '0',
    xnor: '0',
    bin_output: '0',
    flipped: '0',
    antialiasing: '0',
    cbn: '0',
  }),
  ...neutral({ deform: '0', assisted_excitation: '0', share_index: '-1000000000', sway: '0', rotate: '0' }),
  ...neutral({ stretch: '0', stretch_sway: '0', coordconv: '0' }),
})
const maxpool = z.object({
  size: count.optional(),
  ...strides('1'),
  padding: least0.optional(),
  ...neutral({ maxpool_depth: '0', antialiasing: '0' }),
})
const upsample = z.object({ stride: count.default('2'), ...neutral({ scale: '1', reverse: '0' }) })
const route = z.object({
  layers: list(whole),
  groups: count.default('1'),
  group_id: least0.default('0'),
  ...neutral({ stream: '-1' }),
})
const shortcut = z.object({
  from: list(whole),
  activation: activation.default('linear'),
  ...neutral({ weights_type: 'none', weights_normalization: 'none' }),
})
const yolo = z.object({
  mask: list(least0).optional(),
  anchors: list(number.pipe(z.number().positive())).refine(
    (numbers) => numbers.length % 2 === 0,
    'expected pairs of width and height',
  ),
  classes: count.default('20'),
  num: count.default('1'),
  scale_x_y: number.default('1'),
  /** 1 is scaled-YOLOv4's other decoding of boxes. */
  new_coords: z.literal('0').optional(),
})

/** Keys of sections without a loss that matter to Darknet's training, or to how fast it runs, only. */
const TRAINING_KEYS = new Set([
  ...['stopbackward', 'dontload', 'dontloadscales', 'learning_rate_scale', 'onlyforward', 'dont_update'],
  ...['burnin_update', 'train_only_bn', 'grad_centr', 'angle', 'reverse', 'stream', 'wait_stream', 'dot'],
])
/** Keys without which Darknet takes a default that nobody means. */
const EXPECTED = ['filters', 'size', 'activation', 'classes', 'num'] as const

/**
 * Reads a cfg text of YOLOv3's kind: convolutional, maxpool, upsample, route, shortcut and yolo sections. Keys of [net] and
 * [yolo] that say nothing about the network are kept beside it. What Darknet passes over or fills in with a default is read as Darknet
 * reads it, with a warning: a key of another section that nothing knows, and one that is missing.
 *
 * @param file stands in error messages
 * @throws Error naming file, line, section and key of what is unknown, missing or does not fit
 */
export function parseCfg(text: string, file = 'cfg'): DarknetCfg {
  const { sections, warnings } = parseSections(text, file)
  const [first, ...rest] = sections
  if (!first || (first.type !== 'net' && first.type !== 'network')) {
    throw new Error(
      `${file}: expected the first section to be [net], found ${first ? `[${first.type}]` : 'none'}`,
    )
  }
  const place = { file, warnings }
  const { values, darknet } = read(net, first, place, () => true)
  const layers: Layer[] = []
  for (const section of rest) layers.push(readLayer(section, layers, place))
  const { width, height, channels } = values
  const network = {
    ...{ input: [height, width] as const, channels, layers, features: {} },
    ...darknet,
  }
  return { file, network: withParts(checked(network, file, rest)), warnings }
}

/** Errors of a layer name the file and the line of its section. */
function checked(network: NetworkSpec, file: string, sections: readonly Section[]): NetworkSpec {
  try {
    return checkNetwork(network)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const placed = message.replace(/^network: layer (\d+) "[^"]*" \(\w+\)/, (_, layer: string) => {
      const { line, type } = sections[Number(layer)]!
      return `${file}:${line}: [${type}], layer ${layer}`
    })
    throw new Error(placed, { cause: error })
  }
}

/** Where the text is from, and what has been noticed in it. */
interface Place {
  readonly file: string
  readonly warnings: string[]
}

/** The names that the layers of a section's type start with. */
const NAMES = new Map([
  ['convolutional', 'conv'],
  ['conv', 'conv'],
  ['maxpool', 'maxpool'],
  ['max', 'maxpool'],
  ['upsample', 'upsample'],
  ['route', 'route'],
  ['shortcut', 'shortcut'],
  ['yolo', 'yolo'],
])

function readLayer(section: Section, before: readonly Layer[], place: Place): Layer {
  const { file } = place
  const fail = (message: string): never => {
    throw new Error(`${file}:${section.line}: [${section.type}], layer ${before.length}: ${message}`)
  }
  const refer = (index: number): string => {
    const layer = before[index < 0 ? before.length + index : index]
    if (!layer) return fail(`expected an earlier layer, found ${index}`)
    if (layer.kind === 'yolo') return fail(`expected a layer with a map, found ${index}, a [yolo]`)
    return layer.name
  }
  const strideOf = ({
    stride,
    stride_x: x = stride,
    stride_y: y = stride,
  }: { [key in keyof ReturnType<typeof strides>]?: number | undefined }): number =>
    x !== undefined && x === y ? x : fail(`expected one stride for both directions, found ${x} and ${y}`)
  const kind = NAMES.get(section.type)
  const last = before.at(-1)
  if (last?.kind === 'yolo' && kind !== 'route')
    fail('expected a [route] behind a [yolo], whose output are decoded boxes')
  const from = last?.name ?? IMAGES
  const common = { name: `${kind}${before.length}`, part: 'backbone' } as const
  switch (kind) {
    case 'conv': {
      const { values, darknet } = read(convolutional, section, place)
      const { filters: out, size: kernel, pad, padding, groups } = values
      const stride = strideOf(values)
      return {
        ...{ kind: 'convolution', ...common, from, kernel, stride },
        padding: pad ? Math.floor(kernel / 2) : padding,
        ...{ groups, out, batchNorm: values.batch_normalize, activation: values.activation },
        ...darknet,
      }
    }
    case 'maxpool': {
      const { values, darknet } = read(maxpool, section, place)
      const stride = strideOf(values)
      const { size = stride, padding = size - 1 } = values
      return { kind: 'maxPool', ...common, from, size, stride, padding, ...darknet } satisfies MaxPool
    }
    case 'upsample': {
      const { values, darknet } = read(upsample, section, place)
      return { kind: 'upsample', ...common, from, stride: values.stride, ...darknet }
    }
    case 'route': {
      const { values, darknet } = read(route, section, place)
      const { layers, groups, group_id: groupId } = values
      return {
        kind: 'route',
        ...common,
        from: layers.map(refer),
        groups,
        groupId,
        ...darknet,
      } satisfies Route
    }
    case 'shortcut': {
      const { values, darknet } = read(shortcut, section, place)
      const taken = [from, ...values.from.map(refer)]
      return {
        kind: 'shortcut',
        ...common,
        from: taken,
        activation: values.activation,
        ...darknet,
      } satisfies Shortcut
    }
    case 'yolo':
      return { ...common, part: 'head', from, ...readYolo(section, place, fail) }
    default:
      return fail(
        'unknown section; known are convolutional, maxpool, upsample, route, shortcut and yolo' +
          (section.type.startsWith('deconv') ? ' (retrain with nearest upsampling)' : ''),
      )
  }
}

function readYolo(
  section: Section,
  place: Place,
  fail: (message: string) => never,
): Omit<Yolo, 'name' | 'part' | 'from'> {
  const { values, darknet } = read(yolo, section, place, () => true)
  const { anchors, classes, num, scale_x_y: scaleXY } = values
  const mask = values.mask ?? Array.from({ length: num }, (_, index) => index)
  if (anchors.length < 2 * num) fail(`expected num=${num} anchors, found ${anchors.length / 2}`)
  const selected = mask.map((index): readonly [number, number] => {
    if (index >= num) fail(`expected mask below num=${num}, found ${index}`)
    return [anchors[2 * index]!, anchors[2 * index + 1]!]
  })
  return { kind: 'yolo', anchors: selected, classes, scaleXY, ...darknet }
}

/**
 * What a section's schema reads of it, and as `darknet` the keys that are kept as they stand. A key that the schema does not know,
 * and `keeps` not either, is kept with a warning, as Darknet goes on without it.
 */
function read<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  section: Section,
  { file, warnings }: Place,
  keeps: (key: string) => boolean = (key) => TRAINING_KEYS.has(key),
): { values: z.output<z.ZodObject<Shape>>; darknet?: { darknet: { [key: string]: string } } } {
  const { type, line } = section
  const entries = [...section.entries].map(([key, { value }]): [string, string] => [key, value])
  const others = entries.filter(([key]) => !(key in schema.shape))
  const result = schema.safeParse(Object.fromEntries(entries.filter(([key]) => key in schema.shape)))
  if (!result.success) {
    const issue = result.error.issues[0]!
    const key = String(issue.path[0])
    const entry = section.entries.get(key)
    const found = entry ? `, found "${entry.value}"` : ''
    const isMissing = issue.code === 'invalid_type' && issue.received === 'undefined'
    const message = isMissing ? 'expected this key, found none' : issue.message
    throw new Error(`${file}:${entry?.line ?? line}: [${type}] ${key}: ${message}${found}`)
  }
  for (const [key] of others.filter(([name]) => !keeps(name)))
    warnings.push(
      `${file}:${section.entries.get(key)?.line}: [${type}] ${key}: a key that is not known here; it is kept, and changes nothing`,
    )
  for (const key of EXPECTED.filter((name) => name in schema.shape && !section.entries.has(name)))
    warnings.push(
      `${file}:${line}: [${type}] gives no ${key}: taken is ${told(result.data[key])}, as Darknet takes it`,
    )
  return {
    values: result.data,
    ...(others.length > 0 && { darknet: { darknet: Object.fromEntries(others) } }),
  }
}

const told = (value: unknown): string => (value === undefined ? 'the stride' : String(value))
