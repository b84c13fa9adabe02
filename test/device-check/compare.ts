/** Compares a device's results with the CPU's: differences, tolerances, verdicts. */
import type { NamedTensor } from '../../lib/train'
import type { Arithmetic } from './formats'
import { LOSSES, type Measurements } from './measure'

export interface Row {
  readonly what: string
  readonly difference: number
  readonly allowed: number
  /** Location of the difference. */
  readonly where?: string
}

/** A NaN difference does not agree. */
export const agrees = ({ difference, allowed }: Row): boolean => difference <= allowed

interface Tolerances {
  /** A small convolution against plain loops in float64, relative to the largest value. */
  readonly convolution: number
  /** ||a - b|| / ||b|| of the teacher's logits and neck maps, over all scales. */
  readonly logits: number
  readonly features: number
  /** |a - b| / |b| of a loss. */
  readonly loss: number
  /** ||a - b|| / ||b|| of a loss's gradient, all variables together. */
  readonly gradient: number
  /** The same for the worst variable; undefined if rounding alone may reverse a small layer's gradient. */
  readonly worstGradient: number | undefined
  /** Difference of mAP@0.5 and COCO AP. */
  readonly evaluation: number
  /** Largest |a - b| / |b| of the losses in the short training. */
  readonly training: number
  /** Difference of mAP@0.5 and COCO AP after it. */
  readonly trained: number
}

/**
 * Several times the largest differences found on a CPU between float32 and the same with other kernels (oneDNN off) or
 * another number of threads, and between float32 and float16 or bfloat16. A card may compute float32 convolutions in
 * transformed space, which costs another digit. Gradients jump where an activation near 0 changes its sign or
 * another cell becomes a window's maximum, so theirs are far above rounding. TF32 rounds to float16's 10 bits.
 */
const TENSOR_CORES: Tolerances = {
  convolution: 2e-3,
  logits: 4e-3,
  features: 1e-2,
  loss: 5e-3,
  gradient: 0.15,
  worstGradient: undefined,
  evaluation: 0.01,
  training: 0.02,
  trained: 0.02,
}
const TOLERANCES: { readonly [format in Arithmetic]: Tolerances } = {
  float32: {
    convolution: 1e-5,
    logits: 1e-4,
    features: 1e-4,
    loss: 5e-4,
    gradient: 0.03,
    worstGradient: 0.2,
    evaluation: 2e-3,
    training: 5e-3,
    trained: 0.01,
  },
  TF32: TENSOR_CORES,
  // Operations outside the parts compiled in float16 or bfloat16 run one by one in float32, with TF32.
  float16: TENSOR_CORES,
  bfloat16: { ...TENSOR_CORES, logits: 0.03, features: 0.08, loss: 0.15, gradient: 0.5, training: 0.03 },
}

/** Decoding and NMS are float32 in every format; detections are partners if label, box and score agree within this. */
const PARTNER = { pixels: 0.01, score: 1e-4 }
/** Allowed fraction of detections without a partner: two adjacent scores may change places. */
const WITHOUT_PARTNER = 0.01

/**
 * Compares a side's measurements with the CPU's.
 * @throws Error naming a number that only one of them has
 */
export function compare(reference: Measurements, found: Measurements, format: Arithmetic): Row[] {
  const allowed = TOLERANCES[format]
  const pair = (name: string): Pair => [numbersOf(found, name), numbersOf(reference, name)]
  const under = (prefix: string) => [...reference.keys()].filter((name) => name.startsWith(prefix))
  const together = (prefix: string) => distance(under(prefix).map(pair))
  const largest = (name: string) => {
    const [a, b] = pair(name)
    return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)))
  }
  const convolution = numbersOf(found, 'convolution')[0]!
  const rows: Row[] = [
    { what: 'convolution against plain loops', difference: convolution, allowed: allowed.convolution },
    { what: "teacher's logits", difference: together('logits/'), allowed: allowed.logits },
    { what: "teacher's neck maps", difference: together('features/'), allowed: allowed.features },
  ]
  for (const name of LOSSES) {
    rows.push({ what: `${name}: loss`, difference: distance([pair(`loss/${name}`)]), allowed: allowed.loss })
    const prefix = `gradient/${name}/`
    rows.push({ what: `${name}: gradient`, difference: together(prefix), allowed: allowed.gradient })
    if (allowed.worstGradient === undefined) continue
    const [worst = { variable: 'none', difference: Number.NaN }] = under(prefix)
      .map((key) => ({ variable: key.slice(prefix.length), difference: distance([pair(key)]) }))
      .sort((a, b) => b.difference - a.difference)
    const what = `${name}: gradient of the worst variable`
    rows.push({ what, difference: worst.difference, allowed: allowed.worstGradient, where: worst.variable })
  }
  const [losses, expected] = pair('training/losses')
  const relative = Array.from(losses, (value, i) => Math.abs(value / expected[i]! - 1))
  const worstStep = relative.indexOf(Math.max(...relative))
  rows.push(
    {
      what: 'decoding and NMS: detections without a partner',
      difference: withoutPartner(reference, found),
      allowed: WITHOUT_PARTNER,
    },
    {
      what: "teacher's mAP@0.5 and AP@[.5:.95]",
      difference: largest('evaluation/teacher'),
      allowed: allowed.evaluation,
    },
    {
      what: `${losses.length} training steps: losses`,
      difference: Math.max(...relative),
      allowed: allowed.training,
      where: `step ${worstStep + 1}`,
    },
    {
      what: 'mAP@0.5 and AP@[.5:.95] after them',
      difference: largest('evaluation/trained'),
      allowed: allowed.trained,
    },
  )
  return rows
}

/** Compares two processes that should compute the same: the number of tensors with different bits. */
export function repeated(first: Measurements, again: Measurements): Row {
  const different = [...first.keys()].filter((name) => {
    const [a, b] = [numbersOf(first, name), numbersOf(again, name)]
    return a.length !== b.length || a.some((value, i) => !Object.is(value, b[i]))
  })
  const count = [...first.values()].reduce((sum, { values }) => sum + values.length, 0)
  return {
    what: 'the same in another process: tensors with other bits',
    difference: different.length,
    allowed: 0,
    where: different[0] ?? `${first.size} tensors, ${count} numbers`,
  }
}

type Pair = readonly [found: Float32Array, expected: Float32Array]

function numbersOf(measurements: Measurements, name: string): Float32Array {
  const found: NamedTensor | undefined = measurements.get(name)
  if (!found) throw new Error(`device check: expected "${name}" on both sides, found it on one only`)
  return found.values
}

/** ||found - expected|| / ||expected|| over all pairs. */
function distance(pairs: readonly Pair[]): number {
  let [apart, length] = [0, 0]
  for (const [found, expected] of pairs) {
    if (found.length !== expected.length) return Number.NaN
    for (let i = 0; i < expected.length; i++) {
      apart += (found[i]! - expected[i]!) ** 2
      length += expected[i]! ** 2
    }
  }
  return Math.sqrt(apart / length)
}

/** Fraction of all detections of both sides that the other side lacks. */
function withoutPartner(reference: Measurements, found: Measurements): number {
  const sides = [reference, found].map((side) => ({
    boxes: numbersOf(side, 'nms/boxes'),
    scores: numbersOf(side, 'nms/scores'),
    labels: numbersOf(side, 'nms/labels'),
    counts: numbersOf(side, 'nms/counts'),
  }))
  const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]]
  const limit = a.scores.length / a.counts.length
  const isPartner = (i: number, j: number) =>
    a.labels[i] === b.labels[j] &&
    Math.abs(a.scores[i]! - b.scores[j]!) <= PARTNER.score &&
    [0, 1, 2, 3].every((k) => Math.abs(a.boxes[4 * i + k]! - b.boxes[4 * j + k]!) <= PARTNER.pixels)
  let [partners, total] = [0, 0]
  for (const [image, count] of a.counts.entries()) {
    const first = image * limit
    const free = new Set(Array.from({ length: b.counts[image] ?? 0 }, (_, j) => first + j))
    total += count + free.size
    for (let i = first; i < first + count; i++) {
      const partner = [...free].find((j) => isPartner(i, j))
      if (partner === undefined) continue
      free.delete(partner)
      partners += 2
    }
  }
  return 1 - partners / total
}
