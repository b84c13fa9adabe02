/** The numbers that the device check compares, computed by one process with the shipped networks on one device. */

import { rmSync } from 'node:fs'
import { temporaryFolder } from '../../lib/base'
import { createLoader, type Dataset } from '../../lib/data'
import { Detector, detect, type HeadConfig } from '../../lib/detector'
import { compile, type Precision, pixelTensor, type Tensor, tf } from '../../lib/engine'
import { evaluateDetections } from '../../lib/evaluate'
import { assignTargets, METHOD_NAMES, type MethodName, PUBLISHED, type Targets } from '../../lib/losses'
import { loadProfile } from '../../lib/study'
import { createSlots, createStep, type NamedTensor, predict, type StepOptions, train } from '../../lib/train'
import { createDistillation, loadModel, shippedRef } from '../../lib/trial'
import { checkConvolution } from '../../lib/workbench/convolution-check'

export interface MeasureOptions {
  readonly precision: Precision
  readonly dataset: Dataset
  /** Images per step, and steps of the short training. */
  readonly batch: number
  readonly steps: number
  /** Logits from another process, `logits/<scale>`, as the input of decoding and NMS; default: its own. */
  readonly reference?: ReadonlyMap<string, NamedTensor>
}

/** Numbers by name: `<group>/<what>`; see compare.ts for the groups. */
export type Measurements = ReadonlyMap<string, NamedTensor>

/** The ground truth's loss and the methods'. */
export const LOSSES = ['ground truth', ...METHOD_NAMES] as const
type LossName = (typeof LOSSES)[number]

/** Sets the ground truth's loss and gradient to 0, so that a step shows only a method's. */
const NO_TRUTH = { boxWeight: 0, objectnessWeight: 0, classWeight: 0 }
/** After one step from 0 momentum is the gradient. */
const BARE_SGD = { momentum: 0.9, weightDecay: 0, clip: 1e30 }

const PROFILE = loadProfile('default')

/** The default profile's networks with the shipped weights. */
export function shippedNetworks(): { teacher: Detector; student: Detector } {
  if (!PROFILE.checkpoints) throw new Error('profile default: expected shipped checkpoints, found none')
  const load = (name: string) => {
    const { network, weights } = loadModel(shippedRef(name), '')
    return new Detector(network, weights)
  }
  return { teacher: load(PROFILE.checkpoints.teacher), student: load(PROFILE.checkpoints.student) }
}

export interface Batch {
  readonly images: tf.Tensor4D
  readonly targets: Targets
}

/** The first training batch, without augmentation. */
export async function firstBatch({ splits }: Dataset, config: HeadConfig, size: number): Promise<Batch> {
  const loader = createLoader(splits.train ?? [], { input: [...config.input], batch: size })
  try {
    const { images, shape, truths } = await loader.batchAt(0)
    const targets = assignTargets(truths, config, PROFILE.recipe.assign)
    return { images: pixelTensor(images, shape), targets }
  } finally {
    await loader.close()
  }
}

/** A training step of the student: distillation by the given methods only, or the ground truth if there are none. */
export function stepOf(
  methods: readonly MethodName[],
  { teacher, student }: { teacher: Detector; student: Detector },
  options: Pick<StepOptions, 'precision'>,
) {
  const terms = methods.map((method) => ({ method, weight: PUBLISHED[method].weight }))
  const extra = terms.length > 0 ? createDistillation(student, teacher, terms, 1) : undefined
  const slots = createSlots(new Map([...student.trained, ...(extra?.variables ?? [])]))
  const loss = { ...PROFILE.recipe.loss, ...(extra && NO_TRUTH) }
  const step = createStep(student, slots, { sgd: BARE_SGD, eager: false, loss, extra, ...options })
  return {
    slots,
    run: ({ images, targets }: Batch) =>
      step.run({ images, targets, rate: 0, weights: terms.map(({ weight }) => weight) }),
    sync: step.sync,
    dispose() {
      step.dispose()
      for (const { momentum } of slots) momentum.dispose()
      extra?.dispose()
    },
  }
}

function measureLoss(name: LossName, batch: Batch, precision: Precision): Map<string, NamedTensor> {
  const networks = shippedNetworks()
  // `slots` hold the gradient after the first run.
  const step = stepOf(name === 'ground truth' ? [] : [name], networks, { precision })
  const found = new Map<string, NamedTensor>()
  try {
    found.set(`loss/${name}`, numbers([step.run(batch).total!]))
    step.sync()
    for (const { name: variable, momentum } of step.slots)
      found.set(`gradient/${name}/${variable}`, copyOf(momentum))
  } finally {
    step.dispose()
    networks.teacher.dispose()
    networks.student.dispose()
  }
  return found
}

function measureForward(
  teacher: Detector,
  { images }: Batch,
  precision: Precision,
): Map<string, NamedTensor> {
  const forward = compile(
    (input: Tensor) => {
      const { outputs, features } = teacher.forward(input as tf.Tensor4D, { training: false })
      return Object.fromEntries([
        ...outputs.map((logits, i): [string, Tensor] => [`logits/${i}`, logits]),
        ...features.map((map, i): [string, Tensor] => [`features/${i}`, map]),
      ])
    },
    { precision, name: 'teacher' },
  )
  const outputs: { readonly [name: string]: Tensor } = forward(images)
  const found = new Map(Object.entries(outputs).map(([name, tensor]) => [name, copyOf(tensor)]))
  tf.dispose(outputs)
  forward.dispose()
  return found
}

/** Decoding and NMS of given logits, so that both devices start from the same numbers. */
function measureNms(config: HeadConfig, given: ReadonlyMap<string, NamedTensor>): Map<string, NamedTensor> {
  const logits = config.anchors.map((_, i) => {
    const tensor = given.get(`logits/${i}`)
    if (!tensor) throw new Error(`logits of scale ${i}: expected some to decode, found none`)
    return tf.tensor(tensor.values, [...tensor.shape])
  })
  const run = compile(
    (...inputs: Tensor[]) => {
      const { boxes, scores, labels, counts } = detect(inputs as tf.Tensor4D[], config)
      return { boxes, scores, labels, counts: tf.cast(counts, 'float32') }
    },
    { name: 'decoding and NMS' },
  )
  const detections = run(...logits)
  const found = new Map(Object.entries(detections).map(([name, tensor]) => [`nms/${name}`, copyOf(tensor)]))
  tf.dispose([detections, logits])
  run.dispose()
  return found
}

async function measureEvaluation(
  detector: Detector,
  { splits, classes }: Dataset,
  precision: Precision,
): Promise<NamedTensor> {
  const { truths, detections } = await predict(detector, splits.validation ?? [], { precision })
  const { voc, coco } = evaluateDetections(truths, detections, { classes })
  if (voc.mAP === null || coco.AP === undefined)
    throw new Error('device check: expected scenes with labelled boxes, found none; take more --images')
  return numbers([voc.mAP, coco.AP])
}

/** Trains the student further for a few steps, as in the default profile's control. */
async function measureTraining({ precision, dataset, batch, steps }: MeasureOptions) {
  const { teacher, student } = shippedNetworks()
  teacher.dispose()
  const directory = temporaryFolder('check')
  const losses: number[] = []
  const { augment, assign, loss, sgd } = PROFILE.recipe
  try {
    await train(
      student,
      dataset.splits.train ?? [],
      {
        ...{ steps, batch, seed: 1, augment, assign, loss, sgd, precision },
        schedule: { kind: 'cosine', rate: PROFILE.stages.distill.rate, final: 0.01 },
        warmUp: { steps: Math.min(5, steps), from: 0.1 },
        ...{ eager: false, workers: 1, checkpointEvery: steps, logEvery: steps },
      },
      {
        directory,
        classes: dataset.classes,
        onProgress: ({ measurements }) => losses.push(measurements.total!),
      },
    )
    return { losses: numbers(losses), evaluation: await measureEvaluation(student, dataset, precision) }
  } finally {
    student.dispose()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Computes everything to compare, in a fresh process for each device and precision. */
export async function measure(options: MeasureOptions): Promise<Measurements> {
  const { precision, dataset, reference } = options
  const found = new Map([['convolution', numbers([checkConvolution(0.1).error])]])
  const add = (more: ReadonlyMap<string, NamedTensor>) => {
    for (const [name, tensor] of more) found.set(name, tensor)
  }
  const { teacher, student } = shippedNetworks()
  const batch = await firstBatch(dataset, teacher.config, options.batch)
  add(measureForward(teacher, batch, precision))
  add(measureNms(teacher.config, reference ?? found))
  found.set('evaluation/teacher', await measureEvaluation(teacher, dataset, precision))
  teacher.dispose()
  student.dispose()
  for (const name of LOSSES) add(measureLoss(name, batch, precision))
  batch.images.dispose()
  const training = await measureTraining(options)
  found.set('training/losses', training.losses)
  found.set('evaluation/trained', training.evaluation)
  return found
}

function numbers(values: readonly number[]): NamedTensor {
  return { shape: [values.length], values: Float32Array.from(values) }
}

function copyOf(tensor: Tensor): NamedTensor {
  return { shape: [...tensor.shape], values: Float32Array.from(tensor.dataSync()) }
}
