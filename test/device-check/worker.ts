/** A process of the device check, started by run.ts: answers one task on its device. */
import { readFileSync, writeSync } from 'node:fs'
import { readJson, writeAtomically } from '../../lib/base'
import { generateScenes } from '../../lib/data'
import { detect } from '../../lib/detector'
import { compile, deviceInfo, type Precision, supportsPrecision, type Tensor, tf } from '../../lib/engine'
import { METHOD_NAMES } from '../../lib/losses'
import { decodeSafetensors, encodeSafetensors } from '../../lib/train'
import { firstBatch, measure, shippedNetworks, stepOf } from './measure'
import { SECTION_END, sectionStart } from './placement'
import { type Answer, type Task, taskSchema } from './task'

const STDERR = 2

function describe(): Answer {
  const { device, name, deterministic, computeCapability } = deviceInfo()
  const lacking = (precision: Precision) => {
    const supported = supportsPrecision(precision)
    return supported === true ? undefined : supported
  }
  const [float16, bfloat16] = [lacking('float16'), lacking('bfloat16')]
  return { device, name, deterministic, computeCapability, float16, bfloat16 }
}

/** Runs two kinds of step and a detection between marks in the log, each once before to record its graph. */
async function place({ scenes, cache, batch: size }: Task): Promise<void> {
  const dataset = await generateScenes(cache, scenes)
  const { teacher, student } = shippedNetworks()
  const batch = await firstBatch(dataset, teacher.config, size)
  const logged = (name: string, run: () => void) => {
    run()
    writeSync(STDERR, sectionStart(name))
    run()
    writeSync(STDERR, SECTION_END)
  }
  const steps = { 'training step': [], 'distillation step, all methods': METHOD_NAMES }
  for (const [name, methods] of Object.entries(steps)) {
    const step = stepOf(methods, { teacher, student }, { precision: 'float32' })
    logged(name, () => step.run(batch))
    step.dispose()
  }
  const detection = compile((images: Tensor) => {
    const { outputs } = teacher.forward(images as tf.Tensor4D, { training: false })
    const { boxes, scores } = detect(outputs, teacher.config)
    return { boxes, scores }
  })
  logged('detection', () => tf.dispose(detection(batch.images)))
}

async function measureAll({ scenes, cache, reference, file, ...options }: Task): Promise<void> {
  const dataset = await generateScenes(cache, scenes)
  const tensors = reference && decodeSafetensors(readFileSync(reference), reference).tensors
  writeAtomically(
    file,
    encodeSafetensors(await measure({ ...options, dataset, reference: tensors || undefined })),
  )
}

async function main(): Promise<void> {
  const task = taskSchema.parse(readJson(process.argv[2] ?? ''))
  if (task.kind === 'describe') writeAtomically(task.file, JSON.stringify(describe()))
  if (task.kind === 'placement') await place(task)
  if (task.kind === 'measure') await measureAll(task)
  process.exit(0)
}

void main()
