/** The workbook's side of the timed work: the training step, the distillation step and the inference of lib/. */

import { Detector } from '../../lib/detector'
import { compile, type GraphSize, pixelTensor, type Tensor, tf } from '../../lib/engine'
import { PUBLISHED } from '../../lib/losses'
import { createSlots, createStep } from '../../lib/train'
import { createDistillation } from '../../lib/trial'
import type { Problem } from './problem'
import type { Work } from './protocol'

export interface Runnable {
  /** One step; its total loss, or the sum of the scales' mean absolute logits. */
  run(): number
  /** What its graph costs beside the arithmetic, after the first run. */
  size(): GraphSize
  dispose(): void
}

function only([graph]: readonly GraphSize[]): GraphSize {
  if (!graph) throw new Error('expected a graph, found none: run the work first')
  return graph
}

function detectorOf({ options, weights }: Problem, network: Work['network']): Detector {
  const spec = options[network]
  if (!spec) throw new Error(`expected a problem with a ${network}, found none in it`)
  return new Detector(spec, weights[network])
}

/**
 * Builds the work on a problem. Every step begins with the batch, images as bytes, in the program's own memory, as a loader returns it; the
 * other side's begins in memory that a card can read by itself.
 */
export function createWork(problem: Problem, work: Work): Runnable {
  const detector = detectorOf(problem, work.network)
  const shape = [...problem.images.shape] as [number, number, number, number]
  const bytes = Uint8Array.from(problem.images.values)
  const images = () => pixelTensor(bytes, shape)
  return work.kind === 'inference'
    ? inference(detector, images, work)
    : training(problem, detector, images, work)
}

function inference(detector: Detector, images: () => tf.Tensor4D, { precision }: Work): Runnable {
  const forward = compile(
    (input: Tensor) => {
      const { outputs } = detector.forward(input as tf.Tensor4D, { training: false })
      return Object.fromEntries(outputs.map((logits, i) => [String(i), logits]))
    },
    { precision, name: 'inference' },
  )
  return {
    run() {
      const batch = images()
      const outputs: { readonly [name: string]: Tensor } = forward(batch)
      let sum = 0
      for (const logits of Object.values(outputs)) sum += meanMagnitude(logits.dataSync())
      tf.dispose([outputs, batch])
      return sum
    },
    size: () => only(forward.graphs),
    dispose() {
      forward.dispose()
      detector.dispose()
    },
  }
}

function meanMagnitude(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!)
  return sum / values.length
}

function training(problem: Problem, detector: Detector, images: () => tf.Tensor4D, work: Work): Runnable {
  const { options, targets } = problem
  const { loss, sgd, rate } = options
  const { method = 'masked-class-kd', precision } = work
  const { weight } = PUBLISHED[method]
  const teacher = work.kind === 'distillation' ? detectorOf(problem, 'teacher') : undefined
  const extra = teacher && createDistillation(detector, teacher, [{ method, weight }], 1)
  const slots = createSlots(new Map([...detector.trained, ...(extra?.variables ?? [])]))
  const step = createStep(detector, slots, { loss, sgd, extra, precision, eager: false })
  const weights = extra ? [weight] : []
  return {
    run() {
      const batch = images()
      const { total } = step.run({ images: batch, targets, rate, weights })
      batch.dispose()
      return total!
    },
    size: () => only(step.graphs),
    dispose() {
      step.dispose()
      teacher?.dispose()
      extra?.dispose()
      for (const { momentum } of slots) momentum.dispose()
      detector.dispose()
    },
  }
}
