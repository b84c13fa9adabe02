/** The workbook's side of what is timed: the training step, the distillation step and the inference of lib/. */
import { Random } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { compile, type Tensor, tf } from '../../lib/engine'
import { createAdapters, distillationLoss, PUBLISHED } from '../../lib/losses'
import { createSlots, createStep, type ExtraLoss } from '../../lib/train'
import type { Problem } from './problem'
import type { Method, Work } from './protocol'

export interface Runnable {
  /** One step; its total loss, or the sum of the scales' mean absolute logits. */
  run(): number
  dispose(): void
}

function detectorOf({ options, weights }: Problem, network: Work['network']): Detector {
  const config = options[network]
  const own = weights[network]
  if (!config || !own) throw new Error(`expected a problem with a ${network}, found none`)
  return new Detector(config, own)
}

/** Builds the work on a problem; inputs stay where the step reads them, as on the other side. */
export function createWork(problem: Problem, work: Work): Runnable {
  const detector = detectorOf(problem, work.network)
  const images = tf.tensor4d(problem.images.values, [...problem.images.shape] as [
    number,
    number,
    number,
    number,
  ])
  return work.kind === 'inference'
    ? inference(detector, images, work)
    : training(problem, detector, images, work)
}

function inference(detector: Detector, images: tf.Tensor4D, { precision }: Work): Runnable {
  const forward = compile(
    (input: Tensor) => {
      const { outputs } = detector.forward(input as tf.Tensor4D, { training: false })
      return Object.fromEntries(outputs.map((logits, i) => [String(i), logits]))
    },
    { precision, name: 'inference' },
  )
  return {
    run() {
      const outputs: { readonly [name: string]: Tensor } = forward(images)
      let sum = 0
      for (const logits of Object.values(outputs)) sum += meanMagnitude(logits.dataSync())
      tf.dispose(outputs)
      return sum
    },
    dispose() {
      forward.dispose()
      detector.dispose()
      images.dispose()
    },
  }
}

function meanMagnitude(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!)
  return sum / values.length
}

function training(problem: Problem, detector: Detector, images: tf.Tensor4D, work: Work): Runnable {
  const { loss, sgd, rate } = problem.options
  const distillation =
    work.kind === 'distillation' ? createDistillation(problem, detector, work.method) : undefined
  const slots = createSlots(new Map([...detector.trained, ...(distillation?.extra.variables ?? [])]))
  const { precision } = work
  const step = createStep(detector, slots, { loss, sgd, extra: distillation?.extra, precision, eager: false })
  const targets = problem.targets.map(({ values, shape }) =>
    tf.tensor5d(values, [...shape] as [number, number, number, number, number]),
  )
  const weights = distillation ? [distillation.weight] : []
  return {
    run: () => step.run({ images, targets, rate, weights }).total!,
    dispose() {
      step.dispose()
      distillation?.dispose()
      for (const { momentum } of slots) momentum.dispose()
      detector.dispose()
      tf.dispose([images, targets])
    },
  }
}

function createDistillation(problem: Problem, student: Detector, method: Method = 'masked-class-kd') {
  const teacher = detectorOf(problem, 'teacher')
  const kernels =
    method === 'feature-mse'
      ? createAdapters(student.config.neck, teacher.config.neck, new Random('benchmark adapters'))
      : []
  const adapters = kernels.map((kernel) => kernel && tf.variable(kernel))
  tf.dispose(kernels.filter((kernel) => kernel !== undefined))
  const named = adapters.flatMap((variable, i): [string, tf.Variable][] =>
    variable ? [[`adapter${i + 1}/kernel`, variable]] : [],
  )
  const extra: ExtraLoss = {
    weights: 1,
    variables: new Map(named),
    loss: (output, images, weights) =>
      distillationLoss(output, teacher.forward(images, { training: false }), student.config, {
        methods: [{ method, adapters: adapters as (tf.Tensor4D | undefined)[] }],
        weights: [tf.slice(weights, 0, 1).asScalar()],
      }),
  }
  return {
    extra,
    weight: PUBLISHED[method].weight,
    dispose() {
      teacher.dispose()
      for (const [, variable] of named) variable.dispose()
    },
  }
}
