import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { createLoader, type Dataset } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { nativeBackend, tf } from '../../lib/engine'
import { type FrozenOptions, FrozenOutputs } from '../../lib/train'
import { temporary, tinyDetector, tinyScenes } from './tiny'

const detector = Detector.create(tinyDetector({ neck: [10, 6, 6] }), 5)
let data: Dataset
before(async () => {
  data = await tinyScenes(temporary())
})

function frozenIn(folder: string, options: Partial<FrozenOptions> = {}): FrozenOutputs {
  return new FrozenOutputs(detector, {
    ...{ maps: ['outputs'], precision: 'float32', batch: 2, folder, limit: 1e9 },
    ...options,
  })
}

/** The values that come for the images of a few steps, and those of the detector itself. */
async function valuesOf(
  frozen: FrozenOutputs,
  { steps = 2, input = [64, 96] as [number, number] }: { steps?: number; input?: [number, number] } = {},
) {
  const loader = createLoader(data.splits.train!, { input, batch: 2, augment: {}, viewCache: frozen.cache })
  const [given, expected]: [number[][], number[][]] = [[], []]
  for (let step = 0; step < steps; step++) {
    const batch = await loader.batchAt(step)
    tf.tidy(() => {
      const images = tf.tensor4d(batch.images, [...batch.shape])
      const maps = frozen.pack(frozen.tensors(images, [batch]))
      const own = detector.forward(images, { training: false })
      for (const map of ['outputs', 'features'] as const) {
        maps[map].forEach((tensor, scale) => {
          assert.deepEqual(tensor.shape, own[map][scale]!.shape)
          given.push([...tensor.dataSync()])
          expected.push([...own[map][scale]!.dataSync()])
        })
      }
    })
  }
  await frozen.flush()
  await loader.close()
  return { given, expected }
}

test("what is computed and what is read are the detector's own outputs, at every size", async () => {
  const folder = temporary()
  const inputs: [number, number][] = [
    [64, 96],
    [32, 64],
  ]
  for (const counts of [
    { found: 0, computed: 8, damaged: 0 },
    { found: 8, computed: 0, damaged: 0 },
  ]) {
    const frozen = frozenIn(folder, { maps: ['features', 'outputs'] })
    for (const input of inputs) {
      const { given, expected } = await valuesOf(frozen, { input })
      assert.equal(given.length, 12)
      assert.deepEqual(given, expected)
    }
    assert.deepEqual(frozen.statistics, counts)
    frozen.dispose()
  }
})

test('damaged files are computed and written again', async () => {
  const folder = temporary()
  const again = async () => {
    const frozen = frozenIn(folder)
    const { given, expected } = await valuesOf(frozen)
    assert.deepEqual(given, expected)
    frozen.dispose()
    return frozen.statistics
  }
  assert.deepEqual(await again(), { found: 0, computed: 4, damaged: 0 })
  const collection = join(folder, readdirSync(folder)[0]!)
  const names = readdirSync(collection)
  assert.equal(names.length, 4)
  writeFileSync(join(collection, names[0]!), 'damaged')
  assert.deepEqual(await again(), { found: 2, computed: 2, damaged: 1 })
  assert.deepEqual(await again(), { found: 4, computed: 0, damaged: 0 })
})

test('every weight and every option that matters has a key of its own', () => {
  const folder = temporary()
  const keyOf = (options: Partial<FrozenOptions> = {}) => {
    const frozen = frozenIn(folder, options)
    frozen.dispose()
    return frozen.cache.key
  }
  const key = keyOf()
  assert.equal(keyOf({ limit: 1 }), key)
  const others = [keyOf({ maps: ['outputs', 'features'] }), keyOf({ batch: 3 })]
  for (const name of detector.weights().keys()) {
    const variable = detector.variable(name)
    const before = variable.clone()
    tf.tidy(() => variable.assign(tf.add(variable, 0.001)))
    others.push(keyOf())
    variable.assign(before)
    before.dispose()
  }
  process.env.ONEDNN_MAX_CPU_ISA = 'AVX2'
  others.push(keyOf())
  delete process.env.ONEDNN_MAX_CPU_ISA
  assert.equal(keyOf(), key)
  assert.equal(new Set([key, ...others]).size, others.length + 1)
})

test('batches of a loader without the cache are refused; nothing leaks', async () => {
  const { binding } = nativeBackend()
  const [sessions, tensors] = [binding.getNumOfSavedModels(), tf.memory().numTensors]
  const frozen = frozenIn(temporary())
  await valuesOf(frozen)
  const loader = createLoader(data.splits.train!, { input: [64, 96], batch: 2 })
  const batch = await loader.batchAt(0)
  const images = tf.tensor4d(batch.images, [...batch.shape])
  assert.throws(() => frozen.tensors(images, [batch]), /expected batches of a loader with this view cache/)
  images.dispose()
  frozen.dispose()
  assert.equal(binding.getNumOfSavedModels(), sessions)
  assert.equal(tf.memory().numTensors, tensors)
})
