/**
 * Checks before a distillation run: does the gradient reach the right variables, and how large is the distillation
 * term relative to the ground truth's? lambda alone does not tell, since the two losses may be normalised differently.
 */
import type { DetectorOutput, HeadConfig } from '../detector'
import { scoped, tf } from '../engine'
import { PASSING_THRESHOLD, passingMask } from './distill'

/**
 * Losses of one batch, with or without lambda, however the caller wants to compare them. A getter is called only where its loss is
 * asked for, as for the gradient of one of them.
 */
export interface LossPair {
  readonly groundTruth: tf.Scalar
  readonly distillation: tf.Scalar
  /** Named parts of either loss, to list. */
  readonly terms?: { readonly [name: string]: tf.Scalar }
}

/** Gradients of both losses over the same variables, each taken as one long vector. */
export interface GradientNorms {
  readonly groundTruth: number
  readonly distillation: number
  /** distillation / groundTruth. */
  readonly ratio: number
  /** Cosine of the angle between the two; below 0 they pull in opposite directions. NaN if one is 0. */
  readonly cosine: number
}

/** How many slots pass a threshold on the teacher's objectness. */
export interface PassingShare {
  /** Fraction of all (cell, anchor) slots whose teacher objectness is at least the threshold. */
  readonly overall: number
  /** [scale][anchor]. */
  readonly perAnchor: readonly (readonly number[])[]
}

/** The loss to check, and the variables that it should and should not reach. */
export interface DistillationCheckOptions {
  /**
   * Computes both losses of one batch from the variables' current values, including the forward passes. It is called
   * several times and must not change any variable.
   */
  readonly lossOf: () => LossPair
  /** The student's variables by name (`trained`), excluding those used by one loss only, such as adapters. */
  readonly variables: ReadonlyMap<string, tf.Variable>
  readonly teacherVariables?: ReadonlyMap<string, tf.Variable>
  /** The teacher's outputs for the batch; without them the fraction of passing cells is not reported. */
  readonly teacher?: DetectorOutput
  readonly config?: Pick<HeadConfig, 'classes' | 'anchors'>
  readonly threshold?: number
}

/** What a distillation loss does to gradients, and the faults found. */
export interface DistillationCheck {
  readonly losses: { readonly groundTruth: number; readonly distillation: number }
  /** Value of each named part, and its size relative to the ground-truth loss. */
  readonly terms: { readonly [name: string]: { readonly value: number; readonly relative: number } }
  readonly norms: GradientNorms
  /** Names of the student's trainable variables that get no gradient from the distillation loss. */
  readonly unreachedStudent: readonly string[]
  /** Names of the teacher's variables that get a gradient from the distillation loss; must be empty. */
  readonly reachedTeacher: readonly string[]
  readonly passing: PassingShare | undefined
}

/**
 * Measures one batch: both losses, every term's size relative to the ground truth's, norms and cosine of the two
 * gradients, the variables that the distillation loss reaches, and the fraction of slots that pass the teacher's
 * threshold. Reads tensors back, so it belongs outside a recorded function.
 *
 * @throws Error when only one of teacher and config is given
 */
export function checkDistillation(options: DistillationCheckOptions): DistillationCheck {
  const { lossOf, variables, teacherVariables = new Map(), teacher, config } = options
  const { threshold = PASSING_THRESHOLD } = options
  if ((teacher === undefined) !== (config === undefined)) {
    throw new Error('checkDistillation: expected teacher and config together, found only one of them')
  }
  return scoped(() => {
    const pair = lossOf()
    const losses = { groundTruth: numberOf(pair.groundTruth), distillation: numberOf(pair.distillation) }
    const terms = Object.fromEntries(
      Object.entries(pair.terms ?? {}).map(([name, term]) => {
        const value = numberOf(term)
        return [name, { value, relative: value / losses.groundTruth }] as const
      }),
    )
    const student = [...variables].filter(([, variable]) => variable.trainable)
    const trainable = student.map(([, variable]) => variable)
    const groundTruth = gradients(() => lossOf().groundTruth, trainable)
    const distillation = gradients(() => lossOf().distillation, [...trainable, ...teacherVariables.values()])
    const reached = (i: number) => isNonZero(distillation[i])
    return {
      losses,
      terms,
      norms: compare(groundTruth, distillation.slice(0, trainable.length)),
      unreachedStudent: student.filter((_, i) => !reached(i)).map(([name]) => name),
      reachedTeacher: [...teacherVariables.keys()].filter((_, i) => reached(i + trainable.length)),
      passing: teacher && config && passingShare(teacher, config, threshold),
    }
  })
}

/**
 * Norms of the two gradients only.
 *
 * @param variables the student's
 */
export function gradientNorms(lossOf: () => LossPair, variables: readonly tf.Variable[]): GradientNorms {
  const trainable = variables.filter((variable) => variable.trainable)
  return scoped(() =>
    compare(
      gradients(() => lossOf().groundTruth, trainable),
      gradients(() => lossOf().distillation, trainable),
    ),
  )
}

/**
 * The lambda at which norm(lambda * distillation gradient) = ratio * norm(ground-truth gradient).
 *
 * @param norms measured with lambda 1
 * @throws Error when a gradient is 0 or not finite, so that no lambda exists
 */
export function lambdaForRatio(
  ratio: number,
  norms: Pick<GradientNorms, 'groundTruth' | 'distillation'>,
): number {
  const lambda = (ratio * norms.groundTruth) / norms.distillation
  if (!(ratio > 0) || !(lambda > 0) || !Number.isFinite(lambda)) {
    throw new Error(
      `expected a ratio above 0 and gradients that are finite and not 0, found ratio ${ratio} and gradient norms ` +
        `${norms.groundTruth} (ground truth) and ${norms.distillation} (distillation); measure on a batch with objects, ` +
        'or give lambda as a number',
    )
  }
  return lambda
}

/** Fraction of slots with sigmoid(teacher objectness) >= threshold, overall and for each scale and anchor. */
export function passingShare(
  teacher: Pick<DetectorOutput, 'outputs'>,
  { classes, anchors }: Pick<HeadConfig, 'classes' | 'anchors'>,
  threshold: number,
): PassingShare {
  let [passing, slots] = [0, 0]
  const perAnchor = teacher.outputs.map((logits, s) => {
    const count = anchors[s]!.length
    const counts = scoped(() => {
      const rows: tf.Tensor2D = tf.reshape(logits, [-1, 5 + classes])
      return tf.sum(passingMask(rows, count, threshold), 0).dataSync()
    })
    const [n, h, w] = logits.shape
    for (const passed of counts) passing += passed
    slots += n * h * w * count
    return Array.from(counts, (passed) => passed / (n * h * w))
  })
  return { overall: passing / slots, perAnchor }
}

function numberOf(scalar: tf.Scalar): number {
  return scalar.dataSync()[0]!
}

/** Gradients in the order of the variables; undefined if there is none (tf.variableGrads would throw). */
function gradients(loss: () => tf.Scalar, variables: readonly tf.Variable[]): (tf.Tensor | undefined)[] {
  if (variables.length === 0) return []
  return tf.engine().gradients(loss, [...variables], undefined, true).grads
}

/** Whether any element is not 0 (NaN counts); squares would not do, as a small element's may be 0. */
function isNonZero(gradient: tf.Tensor | undefined): boolean {
  return gradient !== undefined && scoped(() => tf.any(tf.notEqual(gradient, 0)).dataSync()[0] === 1)
}

function squaredNorm(gradient: tf.Tensor | undefined): number {
  return gradient ? scoped(() => numberOf(tf.sum(tf.square(gradient)))) : 0
}

function compare(
  groundTruth: readonly (tf.Tensor | undefined)[],
  distillation: readonly (tf.Tensor | undefined)[],
): GradientNorms {
  let [first, second, inner] = [0, 0, 0]
  for (const [i, a] of groundTruth.entries()) {
    const b = distillation[i]
    first += squaredNorm(a)
    second += squaredNorm(b)
    if (a && b) inner += scoped(() => numberOf(tf.sum(tf.mul(a, b))))
  }
  const [x, y] = [Math.sqrt(first), Math.sqrt(second)]
  return { groundTruth: x, distillation: y, ratio: y / x, cosine: inner / (x * y) }
}
