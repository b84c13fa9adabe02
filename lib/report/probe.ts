/** Teacher, student and one batch of images, to examine a distillation loss closely. */
import { type Batch, createLoader, encodePng, type RgbImage } from '../data'
import { Detector, type DetectorOutput, featureOfHead } from '../detector'
import { pixelTensor, scoped, tf } from '../engine'
import {
  assignTargets,
  type Connection,
  checkDistillation,
  connect,
  createVariables,
  type DistillationCheck,
  distillationLoss,
  type LossPair,
  type LossResult,
  METHODS,
  type MethodVariables,
  methodNamed,
  targetTensors,
  yoloLoss,
} from '../losses'
import type { Study } from '../study'
import { loadModel, type ModelRef, type Recipe, type Term } from '../trial'

/** Owns its tensors; dispose of it when done. */
export interface Probe {
  readonly teacher: Detector
  readonly student: Detector
  readonly batch: Batch
  /** The batch's pixels [n, h, w, 3] in 0 .. 1. */
  readonly images: tf.Tensor4D
  /** The teacher's outputs for them, in inference mode, at the strides that both have, in the student's order. */
  readonly t: DetectorOutput
  /** The student's, in the same way. */
  readonly s: DetectorOutput
  /** Initial values of the methods' own variables, such as adapters between widths. */
  readonly variables: MethodVariables
  /** What a term compares in `t` and `s`. */
  compared(term: Unweighted): Omit<Connection, 'apply' | 'widths'> & ReturnType<Connection['apply']>
  /** The ground-truth loss of the study's recipe and a method's loss without lambda, as in the training step. */
  lossOf(term: Term): LossPair
  /** Frees its tensors. */
  dispose(): void
}

type Unweighted = Omit<Term, 'weight'>

/** Batch, student and recipe of a probe. */
export interface ProbeOptions {
  /** Images in the batch. Default 8. */
  readonly count?: number
  /** The network that learns. Default: the study's student. */
  readonly student?: ModelRef
  /** Assignment and normalisation of the ground-truth loss. Default: the profile's. */
  readonly recipe?: Pick<Recipe, 'assign' | 'loss'>
}

/** Loads a study's teacher and student, and the first validation images without augmentation. */
export async function openProbe(study: Study, options: ProbeOptions = {}): Promise<Probe> {
  const { plan, profile, dataset, runs } = study
  const { count = 8, recipe = profile.recipe } = options
  const [teacher, student] = [plan.teacher, options.student ?? plan.student].map((ref) => {
    const { network, weights } = loadModel(ref, runs)
    return new Detector(network, weights)
  }) as [Detector, Detector]
  const { crop } = plan.baselines.teacher.data
  const loader = createLoader((dataset.splits.validation ?? []).slice(0, count), {
    input: [...student.config.input],
    batch: count,
    crop: crop && [...crop],
  })
  const batch = await loader.batchAt(0)
  await loader.close()
  const { assign, loss } = recipe
  const images = pixelTensor(batch.images, batch.shape)
  const targets = targetTensors(assignTargets(batch.truths, student.config, assign))
  const strides = student.config.strides.filter((stride) => teacher.config.strides.includes(stride))
  const [whole, shared] = [
    [teacher, student].map((detector) => inferred(detector, images)),
    [teacher, student].map(({ config }) => strides.map((stride) => config.strides.indexOf(stride))),
  ]
  const [t, s] = whole.map(({ outputs, named }, i): DetectorOutput => {
    const heads = shared[i]!
    return {
      outputs: heads.map((head) => outputs[head]!),
      features: heads.flatMap((head) => named[featureOfHead(head)] ?? []),
    }
  })
  const connection = (term: Unweighted) => connect(term, student.network, teacher.network)
  const variables = Object.fromEntries(
    METHODS.filter((method) => method.variables).map(({ name: method }) => {
      const term = profile.methods.find((own) => own.method === method) ?? { method, scales: 'shared' }
      const { widths } = connection(term)
      const [own, other] = [{ featureWidths: widths.student }, { featureWidths: widths.teacher }]
      return [method, createVariables([method], own, other, 1)[method]]
    }),
  )
  return {
    teacher,
    student,
    batch,
    images,
    t: t!,
    s: s!,
    variables,
    compared: (term) => {
      const { config, apply } = connection(term)
      return { config, ...apply(whole[1]!, whole[0]!) }
    },
    lossOf({ weight: _, ...term }) {
      const output = student.forward(images, { training: true, updateStatistics: false })
      const alone = { methods: [term], weights: [1], variables, connections: [connection(term)] }
      let known: LossResult | undefined
      const distilled = () => {
        known ??= distillationLoss(
          output,
          teacher.forward(images, { training: false }),
          student.config,
          alone,
        )
        return known
      }
      return {
        get groundTruth() {
          return yoloLoss(output.outputs, targets, student.config, loss).total
        },
        get distillation() {
          return distilled().total
        },
        get terms() {
          return distilled().terms
        },
      }
    },
    dispose() {
      teacher.dispose()
      student.dispose()
      const own = Object.values(variables).flatMap((values) => [...(values?.values() ?? [])])
      const maps = whole.flatMap(({ outputs, named }) => [...outputs, ...Object.values(named)])
      tf.dispose([images, ...targets, ...maps, ...own])
    },
  }
}

/** A detector's outputs and named features, in inference mode; the caller owns them. */
function inferred(detector: Detector, images: tf.Tensor4D): Required<DetectorOutput> {
  const names = Object.keys(detector.network.features)
  const [outputs, features, maps] = tf.tidy(() => {
    const output = detector.forward(images, { training: false })
    return [[...output.outputs], [...output.features], names.map((name) => output.named[name]!)]
  })
  return {
    outputs: outputs!,
    features: features!,
    named: Object.fromEntries(names.map((name, i) => [name, maps![i]!])),
  }
}

/** Sizes and gradients of a method's loss relative to the ground truth's on the probe's batch; see `checkDistillation`. */
export function checkMethod(probe: Probe, term: Term): DistillationCheck {
  const { student, teacher, t } = probe
  return checkDistillation({
    lossOf: () => probe.lossOf(term),
    variables: student.trained,
    teacherVariables: teacher.trained,
    teacher: t,
    config: student.config,
    threshold: term.threshold,
  })
}

/** One number per cell of an image, at one stride. */
export interface CellMap {
  readonly stride: number
  /** [row][column] */
  readonly values: readonly (readonly number[])[]
}

/**
 * Where a method's loss acts on one image: for every cell, the Euclidean norm over its channels of the loss's gradient with
 * respect to what the method compares, the student's outputs or feature maps.
 *
 * @param image index in the probe's batch
 */
export function gradientMaps(probe: Probe, { weight: _, ...term }: Term, image: number): CellMap[] {
  const { student, variables } = probe
  const method = methodNamed(term.method)
  const [part = 'outputs'] = method.needs
  return scoped(() => {
    const { student: s, teacher: t, config } = probe.compared(term)
    const loss = (...maps: tf.Tensor[]) =>
      method.loss({ ...s, [part]: maps }, t, config, term, variables[term.method]).total
    const gradients = tf.grads(loss)(s[part].map((map) => map.clone()))
    const norms = gradients.map((gradient) => tf.sqrt(tf.sum(tf.square(gradient), 3)) as tf.Tensor3D)
    return cellMaps(norms, student.config.input, image)
  })
}

/** For every cell the largest objectness of its anchors, as a probability. */
export function objectnessMaps(output: DetectorOutput, { config }: Detector, image: number): CellMap[] {
  const channels = 5 + config.classes
  return scoped(() =>
    cellMaps(
      output.outputs.map((logits) => {
        const [n, h, w] = logits.shape
        const slots = tf.reshape(logits, [n, h, w, -1, channels])
        const objectness = tf.slice(slots, [0, 0, 0, 0, 4], [-1, -1, -1, -1, 1])
        return tf.sigmoid(tf.max(objectness, [3, 4])) as tf.Tensor3D
      }),
      config.input,
      image,
    ),
  )
}

/** The neck's input to the heads: for every cell the root mean square of its feature map [n, h, w, d] over the channels. */
export function featureMaps({ features }: DetectorOutput, { config }: Detector, image: number): CellMap[] {
  return scoped(() =>
    cellMaps(
      features.map((map) => tf.sqrt(tf.mean(tf.square(map), 3)) as tf.Tensor3D),
      config.input,
      image,
    ),
  )
}

/**
 * How much of a map lies where another one is at least `threshold`: fractions of the sum of values and of the cells, over
 * all strides. Cells are weighted by area: one of stride 32 counts as 16 of stride 8.
 */
export function shareWhere(
  map: readonly CellMap[],
  mask: readonly CellMap[],
  threshold: number,
): { readonly inside: number; readonly cells: number } {
  let [inside, total, covered, area] = [0, 0, 0, 0]
  map.forEach(({ stride, values }, i) => {
    values.forEach((row, y) => {
      row.forEach((value, x) => {
        const passes = mask[i]!.values[y]![x]! >= threshold
        total += value
        area += stride ** 2
        if (!passes) return
        inside += value
        covered += stride ** 2
      })
    })
  })
  return { inside: total > 0 ? inside / total : 0, cells: covered / area }
}

/** Reads one image of maps [n, h, w] back. */
function cellMaps(
  maps: readonly tf.Tensor3D[],
  [height]: readonly [number, number],
  image: number,
): CellMap[] {
  return maps.map((map) => {
    const values = (map.arraySync() as number[][][])[image]!
    return { stride: height / values.length, values }
  })
}

/** An image of a batch as the network sees it. */
export function batchImage({ images, shape: [, height, width] }: Batch, index: number): RgbImage {
  const size = height * width * 3
  return { width, height, pixels: images.slice(index * size, (index + 1) * size) }
}

/** An image as a data URL. */
export async function imageUrl(image: RgbImage): Promise<string> {
  return `data:image/png;base64,${(await encodePng(image, { small: true })).toString('base64')}`
}
