/** Treats several teachers, or one in several views, as one: the mean of their outputs at every slot. */
import type { Detector, DetectorOutput, HeadConfig } from '../detector'
import { tf } from '../engine'

/** What a distillation loss needs from its teacher. */
export type Teacher = Pick<Detector, 'config' | 'network'> & {
  forward(images: tf.Tensor4D, options: { readonly training: false }): DetectorOutput
}

/**
 * Checks that several teachers' outputs can be averaged.
 * @throws Error when they differ in meaning
 */
export function checkAlike(teachers: readonly HeadConfig[]): void {
  const meanings = teachers.map(({ classes, strides, anchors, scaleXY, featureWidths }) =>
    JSON.stringify([classes, strides, anchors, scaleXY, featureWidths]),
  )
  const other = meanings.find((meaning) => meaning !== meanings[0])
  if (other === undefined) return
  throw new Error(
    `teacher: expected several with the same [classes, strides, anchors, scaleXY, featureWidths], found ${meanings[0]} and ${other}`,
  )
}

/**
 * The mean of teachers over the images and, with `flip`, over the mirrored ones. Features and box size logits are averaged
 * as they are; for the logits of box positions, objectness and classes it is the logit of the mean probability.
 *
 * @throws Error when the teachers' outputs differ in meaning
 */
export function ensembleOf(
  teachers: readonly Detector[],
  { flip = false }: { readonly flip?: boolean } = {},
): Teacher {
  const [first] = teachers
  if (!first) throw new Error('teacher: expected at least one, found none')
  checkAlike(teachers.map(({ config }) => config))
  if (teachers.length === 1 && !flip) return first
  return {
    config: first.config,
    network: first.network,
    forward: (images, options) => {
      const outputs = teachers.map((teacher) => teacher.forward(images, options) as DetectorOutput)
      if (flip) {
        const mirrored = tf.reverse4d(images, 2)
        for (const teacher of teachers)
          outputs.push(flipOutput(teacher.forward(mirrored, options), first.config.classes))
      }
      return meanOutput(outputs, first.config.classes)
    },
  }
}

/**
 * Maps a detector's output on mirrored images back to the images: reverses the columns and negates the logit of the box's
 * position in its cell, since sigmoid(-t) = 1 - sigmoid(t).
 */
export function flipOutput(
  { outputs, features, named = {} }: DetectorOutput,
  classes: number,
): DetectorOutput {
  return {
    outputs: outputs.map((logits) => {
      const anchors = logits.shape[3] / (5 + classes)
      const signs = Array.from({ length: logits.shape[3] }, (_, i) => (i % (5 + classes) === 0 ? -1 : 1))
      if (!Number.isInteger(anchors))
        throw new Error(`expected logits of 5 + ${classes} a box, found [${logits.shape}]`)
      return tf.mul(tf.reverse4d(logits, 2), tf.tensor4d(signs, [1, 1, 1, signs.length]))
    }),
    features: features.map((feature) => tf.reverse4d(feature, 2)),
    named: Object.fromEntries(Object.entries(named).map(([name, map]) => [name, tf.reverse4d(map, 2)])),
  }
}

/** The mean of several outputs of the same shapes; see `ensembleOf`. */
export function meanOutput(all: readonly DetectorOutput[], classes: number): DetectorOutput {
  const mean = (tensors: tf.Tensor4D[]) => tf.div<tf.Tensor4D>(tf.addN(tensors), tensors.length)
  return {
    outputs: all[0]!.outputs.map((_, s) => {
      const logits = all.map(({ outputs }) => outputs[s]!)
      const { shape } = logits[0]!
      const isSize = Array.from({ length: shape[3] }, (_, i) => ([2, 3].includes(i % (5 + classes)) ? 1 : 0))
      const mask = tf.tensor4d(isSize, [1, 1, 1, isSize.length])
      return tf.add<tf.Tensor4D>(tf.mul(mean(logits), mask), tf.mul(logitOfMean(logits), tf.sub(1, mask)))
    }),
    features: all[0]!.features.map((_, i) => mean(all.map(({ features }) => features[i]!))),
    named: Object.fromEntries(
      // A pruned teacher beside an unpruned one may give maps of other widths under the same names.
      Object.entries(all[0]!.named ?? {}).flatMap(([name, { shape }]) => {
        const maps = all.flatMap(({ named }) => named?.[name] ?? [])
        const same = maps.length === all.length && maps.every((map) => String(map.shape) === String(shape))
        return same ? [[name, mean(maps)]] : []
      }),
    ),
  }
}

/**
 * The logit of the mean of the probabilities sigmoid(x): log sum exp(-softplus(-x)) - log sum exp(-softplus(x)), which
 * is exact where a probability is 0 or 1 in float32.
 */
function logitOfMean(logits: readonly tf.Tensor4D[]): tf.Tensor4D {
  const logSum = (signed: readonly tf.Tensor4D[]) => {
    const logs = signed.map((x) => tf.neg(tf.softplus(x)))
    const most = logs.reduce((a, b) => tf.maximum(a, b))
    return tf.add(most, tf.log(tf.addN(logs.map((log) => tf.exp(tf.sub(log, most))))))
  }
  return tf.sub(logSum(logits.map((x) => tf.neg(x))), logSum(logits))
}
