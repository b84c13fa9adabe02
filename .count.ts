import { join } from 'node:path'
import { Detector } from './lib/detector'
import { tf } from './lib/engine'
import { assignTargets, targetTensors } from './lib/losses'
import { createSlots, createStep, loadCheckpoint } from './lib/train'
import { createDistillation } from './lib/trial/distillation'
const load = (n: string) => { const c = loadCheckpoint(join(__dirname, 'data/checkpoints', n)); return new Detector(c.network, c.weights) }
const run = (d: Detector, extra?: any) => {
  const [h, w] = d.config.input
  const slots = createSlots(new Map([...d.trained, ...(extra?.variables ?? [])]))
  const step = createStep(d, slots, { loss: {}, sgd: { momentum: 0.9, weightDecay: 5e-4, clip: 35 }, precision: 'float32', eager: false, extra, averaged: undefined })
  const images = tf.zeros([2, h, w, 3]) as tf.Tensor4D
  const targets = targetTensors(assignTargets([[], []], d.config, {}))
  console.log(step.run({ images, targets, rate: 0.01, weights: extra ? [1] : [] }), step.graphs)
}
const teacher = load('default-teacher.json')
run(teacher)
const student = load('default-pruned.json')
const extra = createDistillation(student, teacher, [{ method: 'class-kd', weight: 1, temperature: 1 } as any], 1)
run(student, extra)
