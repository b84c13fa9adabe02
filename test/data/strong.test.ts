/** The stronger look of a view. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Random } from '../../lib/base'
import { createLoader, type Dataset, generateScenes, type StrongOptions, strongSchema } from '../../lib/data'
import { resample } from '../../lib/data/resample'
import { applyStrong, blur } from '../../lib/data/strong'
import oracle from './oracle/blur.json'

const OFF = { colour: false, grey: 0, blur: false, noise: false, cutouts: false } as const
const SIZE = { height: 20, width: 30 }
const COUNT = SIZE.height * SIZE.width * 3

/** An image of middle grey with a look. */
function looked(options: StrongOptions, seed = 1, value = 0.5): Float32Array {
  const values = new Float32Array(COUNT).fill(value)
  const random = new Random(seed)
  applyStrong(random, { values, ...SIZE }, strongSchema.parse({ ...OFF, ...options }))
  return values
}

test("blur is SciPy's Gaussian filter along rows and columns", () => {
  const [height, width] = oracle.shape as [number, number, number]
  for (const { deviation, values: expected } of oracle.cases) {
    const values = Float32Array.from(oracle.values)
    blur({ values, height, width }, deviation)
    values.forEach((value, i) => {
      assert.ok(Math.abs(value - expected[i]!) < 1e-6, `${deviation}: ${value} and ${expected[i]}`)
    })
  }
  const values = Float32Array.from(oracle.values)
  blur({ values, height, width }, 0)
  assert.deepEqual(values, Float32Array.from(oracle.values))
})

test('parts that are off change nothing, and the same stream gives the same look', () => {
  assert.deepEqual(looked({}), new Float32Array(COUNT).fill(0.5))
  const strong = strongSchema.parse({})
  assert.deepEqual(looked(strong, 5), looked(strong, 5))
  assert.notDeepEqual(looked(strong, 5), looked(strong, 6))
})

test('noise has its standard deviation, and stays within 0 .. 1', () => {
  const values = looked({ noise: { probability: 1, deviation: [0.1, 0.1] } })
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - 0.5) ** 2, 0) / COUNT)
  // Of 1800 values: 0.1 within 5 standard errors of 0.1 / sqrt(2 * 1800).
  assert.ok(Math.abs(deviation - 0.1) < 0.0084, `${deviation}`)
  const bright = looked({ noise: { probability: 1, deviation: [0.5, 0.5] } }, 2, 1)
  assert.ok(bright.every((value) => value >= 0 && value <= 1) && bright.some((value) => value < 1))
})

test('a grey look has three equal channels', () => {
  const values = Float32Array.of(0.1, 0.5, 0.9, 1, 0, 0)
  const options = strongSchema.parse({ ...OFF, grey: 1 })
  applyStrong(new Random(1), { values, height: 1, width: 2 }, options)
  for (const [pixel, luma] of [0.299 * 0.1 + 0.587 * 0.5 + 0.114 * 0.9, 0.299].entries())
    for (let c = 0; c < 3; c++) assert.ok(Math.abs(values[3 * pixel + c]! - luma) < 1e-6)
})

test('cut-outs are uniform grey rectangles of the requested size', () => {
  let [most, none] = [0, 0]
  for (let seed = 0; seed < 200; seed++) {
    const values = looked({ cutouts: { most: 1, side: [0.2, 0.4] } }, seed, -1)
    const cut: [row: number, column: number][] = []
    for (let i = 0; i < COUNT; i += 3) {
      if (values[i] === -1) continue
      cut.push([Math.floor(i / 3 / SIZE.width), (i / 3) % SIZE.width])
      assert.ok(values[i]! >= 0 && values[i] === values[i + 1] && values[i] === values[i + 2])
    }
    if (cut.length === 0) {
      none++
      continue
    }
    const [rows, columns] = [cut.map(([row]) => row), cut.map(([, column]) => column)]
    const height = Math.max(...rows) - Math.min(...rows) + 1
    const width = Math.max(...columns) - Math.min(...columns) + 1
    assert.equal(cut.length, height * width, 'a whole rectangle')
    assert.ok(height <= 9 && width <= 13, `${height}x${width}`)
    most = Math.max(most, height * width)
  }
  assert.ok(none > 60 && none < 140, `${none} of 200 without`)
  assert.ok(most > 80, `${most} pixels at most`)
})

const folder = mkdtempSync(join(tmpdir(), 'strong-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let data: Dataset
before(async () => {
  data = await generateScenes(
    folder,
    { splits: { train: 4, validation: 1, test: 1 }, width: 128, height: 48 },
    { workers: 1 },
  )
})

async function batch(options: object, step = 1) {
  const loader = createLoader(data.splits.train!, {
    input: [64, 96],
    batch: 2,
    augment: {},
    seed: 3,
    ...options,
  })
  try {
    return await loader.batchAt(step)
  } finally {
    await loader.close()
  }
}

test('the plain look, the boxes and the geometry are the same without it, whoever prepares the batch', async () => {
  const plain = await batch({})
  assert.equal(plain.strong, undefined)
  const { strong, ...rest } = await batch({ strong: {} })
  assert.deepEqual(rest, plain)
  assert.equal(strong!.length, plain.images.length)
  assert.notDeepEqual(strong, plain.images)
  assert.deepEqual((await batch({ strong: {}, workers: 1 })).strong, strong)
  assert.deepEqual((await batch({ strong: OFF })).strong, plain.images, 'every pixel is in its place')
  assert.notDeepEqual((await batch({ strong: {} }, 0)).strong, strong)
})

test('the stronger look is made before the plain one is rounded', async () => {
  // An image twice as large: between its pixels lie values that are no bytes.
  const image = {
    width: 48,
    height: 32,
    pixels: Uint8Array.from({ length: 48 * 32 * 3 }, (_, i) => (i * 71) % 251),
  }
  const sample = { ...{ id: 'a', file: 'a', boxes: [] }, width: image.width, height: image.height, image }
  const look = { ...OFF, colour: { brightness: 0, contrast: 1, saturation: 0, hue: 0 } } as const
  const loader = createLoader([sample], { input: [64, 96], batch: 1, seed: 3, strong: look })
  const { strong } = await loader.batchAt(0)
  const values = new Float32Array(64 * 96 * 3)
  resample(image, { scaleX: 2, shiftX: 0, scaleY: 2, shiftY: 0 }, [64, 96], values)
  applyStrong(new Random(3, 'strong', 0, 0), { values, height: 64, width: 96 }, strongSchema.parse(look))
  strong!.forEach((byte, i) => {
    assert.ok(Math.abs(byte - 255 * values[i]!) <= 0.5, `${byte} of ${255 * values[i]!}`)
  })
})

test('the same image has another look in every epoch, and the same in the same view', async () => {
  const looks = { strong: { colour: { brightness: 0.5 } }, augment: false, batch: 4 }
  const [first, second] = [await batch(looks, 0), await batch(looks, 1)]
  assert.deepEqual(first.images, second.images)
  assert.notDeepEqual(first.strong, second.strong)
  assert.deepEqual((await batch({ ...looks, views: 1 }, 1)).strong, first.strong)
})
