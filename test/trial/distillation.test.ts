import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { createLoader } from '../../lib/data'
import { Detector, initialWeights } from '../../lib/detector'
import { pixelTensor, tf } from '../../lib/engine'
import { assignTargets, METHOD_NAMES, methodNamed } from '../../lib/losses'
import { prunableGammas } from '../../lib/slimming'
import { createSlots, createStep } from '../../lib/train'
import { createDistillation } from '../../lib/trial'
import { TINY_TRAINING, temporary, tinyDetector, tinyScenes } from '../train/tiny'

let batch: Awaited<ReturnType<ReturnType<typeof createLoader>['batchAt']>>
before(async () => {
  const data = await tinyScenes(temporary())
  const loader = createLoader(data.splits.train!, { input: [64, 96], batch: 2 })
  batch = await loader.batchAt(0)
  await loader.close()
})

/** Steps with every method, sparsity, decay and clipping; everything they leave, by name. */
function trained(
  eager: boolean,
  { spp, steps, temperature }: { spp: boolean; steps: number; temperature: number },
): Map<string, Float32Array> {
  const [wide, narrow] = [tinyDetector({ neck: [10, 6, 6], spp }), tinyDetector({ spp })]
  const teacher = new Detector(wide, initialWeights(wide, 5))
  const student = new Detector(narrow, initialWeights(narrow, 6))
  const terms = METHOD_NAMES.map((method) => ({
    method,
    weight: 1,
    ...('temperature' in methodNamed(method).options.shape && { temperature }),
  }))
  const extra = createDistillation(student, teacher, terms, 1)
  const slots = createSlots(new Map([...student.trained, ...extra.variables]))
  const sparsity = { strength: 0.01, gammas: prunableGammas(narrow) }
  const options = { loss: {}, sgd: { momentum: 0.9, weightDecay: 0.01, clip: 20 }, extra, sparsity }
  const step = createStep(student, slots, { ...options, precision: 'float32', eager })
  const found = new Map<string, Float32Array>()
  const images = pixelTensor(batch.images, batch.shape)
  const targets = assignTargets(batch.truths, student.config, TINY_TRAINING.assign)
  for (let n = 0; n < steps; n++) {
    const measured = step.run({
      images,
      targets,
      rate: 0.01,
      weights: terms.map((_, i) => 1 + ((i + 2) % 5)),
    })
    for (const [name, value] of Object.entries(measured))
      found.set(`step ${n}: ${name}`, Float32Array.of(value))
  }
  step.sync()
  for (const [name, { values }] of student.weights()) found.set(name, values)
  for (const { name, momentum } of slots)
    found.set(`momentum of ${name}`, momentum.dataSync<'float32'>().slice())
  for (const [name, variable] of extra.variables) found.set(name, variable.dataSync<'float32'>().slice())
  step.dispose()
  extra.dispose()
  for (const detector of [teacher, student]) detector.dispose()
  tf.dispose([images, slots.map(({ momentum }) => momentum)])
  return found
}

describe('a compiled step with all methods and sparsity gives what an eager one gives', () => {
  test('bit for bit', () => {
    const plain = { spp: false, steps: 2, temperature: 1 }
    const [eager, compiled] = [trained(true, plain), trained(false, plain)]
    assert.deepEqual([...compiled.keys()], [...eager.keys()])
    for (const [name, values] of eager) assert.deepEqual(compiled.get(name), values, name)
  })

  test('within rounding with SPP, whose gradient oneDNN sums in another order, and with several constant factors', () => {
    const pooled = { spp: true, steps: 1, temperature: 3 }
    const [eager, compiled] = [trained(true, pooled), trained(false, pooled)]
    for (const [name, values] of eager) {
      const apart = Math.hypot(...values.map((value, i) => compiled.get(name)![i]! - value))
      assert.ok(apart <= 1e-5 * Math.hypot(...values), `${name}: ${apart / Math.hypot(...values)}`)
    }
  })
})
