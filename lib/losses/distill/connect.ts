/** Connects a student with a teacher that may be another network: which scale, or which feature, is compared with which. */
import { z } from 'zod'
import {
  coarsestStride,
  type DetectorOutput,
  featureOfHead,
  headsOf,
  type NetworkSpec,
  shapesOf,
} from '../../detector'
import { tf } from '../../engine'
import { type MethodName, methodNamed } from './list'
import type { DistillationConfig } from './types'

/** A feature of both networks by its name, or one of the student's and one of the teacher's. */
export const featureLinkSchema = z.union([z.string(), z.tuple([z.string(), z.string()])])
/** A pair of layers whose maps a term compares. */
export type FeatureLink = z.infer<typeof featureLinkSchema>

/** What a term says about the maps that it compares, beside its method. */
export interface Connecting {
  readonly method: MethodName
  /** 'shared' leaves out the scales that only one of the two networks has. Default: both have the same. */
  readonly scales?: 'shared'
  /**
   * Features to connect, by their names in the networks (`C3`, `C4`, ..., `detect1`, ...). Default: the maps in front of the
   * heads, scale by scale.
   */
  readonly features?: readonly FeatureLink[]
}

/** The schema of a method's keys in `Connecting`: only those that compare features take `features`. */
export function connectingShape(needs: readonly string[]): z.ZodRawShape {
  const scales = z.literal('shared').optional()
  return needs.includes('features')
    ? { scales, features: z.array(featureLinkSchema).min(1).optional() }
    : { scales }
}

/** What a method is given to compare. */
export interface Connection {
  readonly config: DistillationConfig
  /** Channels of the compared features, pair by pair, for adapters. */
  readonly widths: { readonly student: readonly number[]; readonly teacher: readonly number[] }
  /** The compared maps of both, pair by pair. */
  apply(
    student: DetectorOutput,
    teacher: DetectorOutput,
  ): { readonly student: DetectorOutput; readonly teacher: DetectorOutput }
}

/**
 * Connects two networks for a method, before anything runs.
 *
 * Methods that compare outputs need the same classes, and scales of the same strides with the same anchors and scale_x_y.
 * Methods that compare features take the maps in front of the heads, stride by stride, or the `features` named; a pair of
 * different widths has an adapter (`createAdapters`), and one of different strides is compared on the coarser of its two grids:
 * a cell of it is the mean of the finer map's cells that it covers.
 *
 * @throws Error naming method, scale or feature, with what the student and the teacher have
 */
export function connect(term: Connecting, student: NetworkSpec, teacher: NetworkSpec): Connection {
  const place = term.method
  expectSameImages(place, student, teacher)
  if (!methodNamed(term.method).needs.includes('features'))
    return connectOutputs(place, term, student, teacher)
  return term.features
    ? connectNamed(place, term.features, student, teacher)
    : connectHeads(place, term, student, teacher)
}

/** The teacher sees the student's images. */
function expectSameImages(place: string, student: NetworkSpec, teacher: NetworkSpec): void {
  if (student.channels !== teacher.channels)
    throw new Error(
      `${place}: expected images of as many channels, found student ${student.channels} and teacher ${teacher.channels}`,
    )
  const [stride, input] = [coarsestStride(teacher), student.input]
  if (String(input) === String(teacher.input) || input.every((side) => side % stride === 0)) return
  throw new Error(
    `${place}: expected the student's input in multiples of ${stride} pixels, the teacher's coarsest stride, since both see the ` +
      `same images; found [${input}]; give the student another input size`,
  )
}

interface Scale {
  readonly stride: number
  readonly student: number
  readonly teacher: number
}

/**
 * Scales of one stride, in the student's order.
 * @throws Error naming the scales that only one has, unless `shared`
 */
function pairScales(
  place: string,
  what: string,
  strides: { readonly student: readonly number[]; readonly teacher: readonly number[] },
  shared: boolean,
): Scale[] {
  const left = strides.teacher.map((stride, index) => ({ stride, index }))
  const alone: string[] = []
  const pairs = strides.student.flatMap((stride, index): Scale[] => {
    const at = left.findIndex((other) => other.stride === stride)
    if (at < 0) {
      alone.push(`stride ${stride}, which only the student has`)
      return []
    }
    return [{ stride, student: index, teacher: left.splice(at, 1)[0]!.index }]
  })
  alone.push(...left.map(({ stride }) => `stride ${stride}, which only the teacher has`))
  if (pairs.length > 0 && (shared || alone.length === 0)) return pairs
  throw new Error(
    `${place}: expected ${what} of the same strides, found student [${strides.student}] and teacher [${strides.teacher}]: ` +
      `${alone.join('; ')}; ${pairs.length > 0 ? '"scales: shared" in its term leaves these out' : 'leave the method out'}`,
  )
}

function connectOutputs(
  place: string,
  { scales }: Connecting,
  student: NetworkSpec,
  teacher: NetworkSpec,
): Connection {
  const [s, t] = [headsOf(student), headsOf(teacher)]
  const wrong: string[] = []
  if (s.classes !== t.classes) wrong.push(`classes: student ${s.classes}, teacher ${t.classes}`)
  const strides = { student: s.strides, teacher: t.strides }
  const pairs = pairScales(place, 'outputs', strides, scales === 'shared')
  for (const pair of pairs) {
    const [own, other] = [s.anchors[pair.student], t.anchors[pair.teacher]].map((anchors) =>
      JSON.stringify(anchors),
    )
    if (own !== other) wrong.push(`anchors at stride ${pair.stride}: student ${own}, teacher ${other}`)
    const [x, y] = [s.scaleXY[pair.student], t.scaleXY[pair.teacher]]
    if (x !== y) wrong.push(`scale_x_y at stride ${pair.stride}: student ${x}, teacher ${y}`)
  }
  if (wrong.length > 0)
    throw new Error(
      `${place} compares outputs, which need the same classes, strides and anchors in student and teacher; found ` +
        `${wrong.join('; ')}; make them the same, or take methods that compare features`,
    )
  return {
    config: {
      classes: s.classes,
      anchors: pairs.map((pair) => s.anchors[pair.student]!),
      strides: pairs.map(({ stride }) => stride),
    },
    widths: { student: [], teacher: [] },
    apply: (own, other) => ({
      student: { outputs: pairs.map((pair) => own.outputs[pair.student]!), features: [] },
      teacher: { outputs: pairs.map((pair) => other.outputs[pair.teacher]!), features: [] },
    }),
  }
}

/** The heads whose map in front the network names, in the order of `DetectorOutput.features`. */
function namedHeads(network: NetworkSpec): {
  readonly strides: readonly number[]
  readonly widths: readonly number[]
} {
  const { strides, featureWidths } = headsOf(network)
  return {
    strides: strides.filter((_, head) => network.features[featureOfHead(head)] !== undefined),
    widths: featureWidths,
  }
}

function connectHeads(
  place: string,
  { scales }: Connecting,
  student: NetworkSpec,
  teacher: NetworkSpec,
): Connection {
  const [s, t] = [namedHeads(student), namedHeads(teacher)]
  const strides = { student: s.strides, teacher: t.strides }
  const pairs = pairScales(place, 'maps in front of the heads', strides, scales === 'shared')
  const { classes } = headsOf(student)
  return {
    config: { classes, anchors: [], strides: pairs.map(({ stride }) => stride) },
    widths: {
      student: pairs.map((pair) => s.widths[pair.student]!),
      teacher: pairs.map((pair) => t.widths[pair.teacher]!),
    },
    apply: (own, other) => ({
      student: { outputs: [], features: pairs.map((pair) => own.features[pair.student]!) },
      teacher: { outputs: [], features: pairs.map((pair) => other.features[pair.teacher]!) },
    }),
  }
}

function connectNamed(
  place: string,
  links: readonly FeatureLink[],
  student: NetworkSpec,
  teacher: NetworkSpec,
): Connection {
  const sides = {
    student: { network: student, shapes: shapesOf(student) },
    teacher: { network: teacher, shapes: shapesOf(teacher) },
  }
  const featureOf = (who: 'student' | 'teacher', name: string) => {
    const { network, shapes } = sides[who]
    const layer = network.features[name]
    if (layer !== undefined) return { name, ...shapes.get(layer)! }
    const names = Object.keys(network.features).join(', ')
    throw new Error(
      `${place}: features: expected one of the ${who}'s (${names || 'it names none'}), found "${name}"`,
    )
  }
  const pairs = links.map((link) => {
    const [one, two] = typeof link === 'string' ? [link, link] : link
    const [own, other] = [featureOf('student', one), featureOf('teacher', two)]
    const stride = Math.max(own.stride, other.stride)
    const factors = [stride / own.stride, stride / other.stride] as const
    if (!factors.every(Number.isInteger))
      throw new Error(
        `${place}: features: expected strides of which one divides the other, found ${one} of the student at stride ` +
          `${own.stride} and ${two} of the teacher at stride ${other.stride}`,
      )
    return { own, other, stride, factors, name: one === two ? one : `${one}-${two}` }
  })
  const names = pairs.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new Error(`${place}: features: expected every pair once, found ${twice} twice`)
  const map = (who: string, output: DetectorOutput, name: string) => {
    const found = output.named?.[name]
    if (!found)
      throw new Error(
        `${place}: expected the ${who}'s feature ${name}, found ${Object.keys(output.named ?? {})}`,
      )
    return found
  }
  return {
    config: {
      classes: headsOf(student).classes,
      anchors: [],
      strides: pairs.map(({ stride }) => stride),
      featureNames: names,
    },
    widths: {
      student: pairs.map(({ own }) => own.channels),
      teacher: pairs.map(({ other }) => other.channels),
    },
    apply: (own, other) => ({
      student: {
        outputs: [],
        features: pairs.map((pair) => areaMean(map('student', own, pair.own.name), pair.factors[0])),
      },
      teacher: {
        outputs: [],
        features: pairs.map((pair) => areaMean(map('teacher', other, pair.other.name), pair.factors[1])),
      },
    }),
  }
}

/** Means over squares of `factor` x `factor` cells of [n, h, w, c]; what does not fill a square is refused. */
function areaMean(x: tf.Tensor4D, factor: number): tf.Tensor4D {
  if (factor === 1) return x
  const [n, h, w, c] = x.shape
  if (h % factor !== 0 || w % factor !== 0)
    throw new Error(`features: expected a map of multiples of ${factor} cells, found [${x.shape}]`)
  const rows = tf.mean(tf.reshape(x, [(n * h) / factor, factor, w * c]), 1)
  const cells = tf.mean(tf.reshape(rows, [(n * h * w) / factor ** 2, factor, c]), 1)
  return tf.reshape(cells, [n, h / factor, w / factor, c])
}
