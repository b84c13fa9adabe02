/** What all methods do first: pair student and teacher, and make the teacher constant. */
import type { DetectorOutput } from '../../detector'
import { tf } from '../../engine'
import type { LossResult } from '../types'
import type { DistillationConfig } from './types'

export interface Pair {
  /** 'stride32' and so on. */
  readonly name: string
  readonly student: tf.Tensor4D
  readonly teacher: tf.Tensor4D
}

/** The same values without a gradient. */
export function constant<T extends tf.Tensor>(x: T): T {
  const operation = tf.customGrad((value) => ({
    value: (value as tf.Tensor).clone(),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }))
  return operation(x) as T
}

/**
 * Pairs of logits [n, h, w, anchors * (5 + classes)] of each scale, teacher constant.
 *
 * @throws Error when the numbers of scales or the shapes disagree, naming both
 */
export function outputPairs(
  student: DetectorOutput,
  teacher: DetectorOutput,
  { anchors, classes, strides }: DistillationConfig,
): Pair[] {
  expectScales('logits', anchors.length, student.outputs, teacher.outputs)
  return student.outputs.map((logits, s) => {
    const name = `stride${strides[s]}`
    const other = teacher.outputs[s]
    const channels = (anchors[s]?.length ?? 0) * (5 + classes)
    if (other === undefined || String(logits.shape) !== String(other.shape) || logits.shape[3] !== channels) {
      throw new Error(
        `${name}: expected student and teacher logits of one shape [n, h, w, ${channels}], found student ` +
          `[${logits.shape}] and teacher [${other?.shape ?? 'none'}]; both need the same classes, anchors and input`,
      )
    }
    return { name, student: logits, teacher: constant(other) }
  })
}

/** @throws Error unless student and teacher have maps of every scale */
export function expectScales(
  what: 'logits' | 'features',
  scales: number,
  student: readonly tf.Tensor[],
  teacher: readonly tf.Tensor[],
): void {
  if (student.length === scales && teacher.length === scales && scales > 0) return
  throw new Error(
    `expected student and teacher ${what} of ${Math.max(scales, 1)} scales, found ${student.length} and ${teacher.length}`,
  )
}

/** [n, h, w, anchors * channels] to one row per cell and anchor. */
export function anchorRows(logits: tf.Tensor4D, channels: number): tf.Tensor2D {
  return tf.reshape(logits, [-1, channels])
}

/** The class logits of [rows, 5 + classes]. */
export function classLogits(rows: tf.Tensor2D, classes: number): tf.Tensor2D {
  return tf.slice(rows, [0, 5], [-1, classes])
}

/** The objectness logit of [rows, 5 + classes], [rows, 1]. */
export function objectnessLogits(rows: tf.Tensor2D): tf.Tensor2D {
  return tf.slice(rows, [0, 4], [-1, 1])
}

/** Named terms and their sum. */
export function sumOf(named: readonly (readonly [string, tf.Scalar])[]): LossResult {
  const terms = Object.fromEntries(named)
  return { total: tf.addN(Object.values(terms)) as tf.Scalar, terms }
}
