import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Random } from '../../lib/base'
import { encodePng, toImage } from '../../lib/data'
import { type Batch, batchIndices } from '../../lib/data/batch'
import type { LoadableSample } from '../../lib/data/frames'
import { createLoader, type LoaderOptions } from '../../lib/data/loader'
import { openDataset } from '../../lib/data/open'
import { resample } from '../../lib/data/resample'

const fixtures = join(__dirname, 'fixtures')
const scratch = mkdtempSync(join(tmpdir(), 'loader-test-'))
after(() => rmSync(scratch, { recursive: true }))

/** Images of 64x32 in memory, every pixel different, one box each. */
const samples: LoadableSample[] = Array.from({ length: 10 }, (_, i) => {
  const random = new Random('image', i)
  return {
    id: `image ${i}`,
    file: `/nowhere/${i}.png`,
    width: 64,
    height: 32,
    boxes: i === 9 ? undefined : [{ x1: 8 + i, y1: 4, x2: 24 + i, y2: 20, label: i % 3 }],
    image: {
      width: 64,
      height: 32,
      pixels: Uint8Array.from({ length: 64 * 32 * 3 }, () => random.integer(256)),
    },
  }
})
const training: LoaderOptions = {
  input: [32, 64],
  batch: 4,
  seed: 3,
  shuffle: true,
  dropLast: true,
  augment: { photometric: {}, expand: {}, minIouCrop: {}, multiScale: { from: [32, 64], to: [64, 128] } },
}

async function take(
  options: LoaderOptions,
  from: number,
  to: number,
  of: readonly LoadableSample[] = samples,
): Promise<Batch[]> {
  const loader = createLoader(of, options)
  const batches: Batch[] = []
  for await (const batch of loader.batches(from, to)) batches.push(batch)
  await loader.close()
  return batches
}

test('an evaluation gives every sample once, in order, unchanged', async () => {
  const batches = await take({ input: [32, 64], batch: 4 }, 0, 3)
  assert.deepEqual(
    batches.map(({ shape }) => shape),
    [
      [4, 32, 64, 3],
      [4, 32, 64, 3],
      [2, 32, 64, 3],
    ],
  )
  assert.deepEqual(
    batches.flatMap(({ ids }) => ids),
    samples.map(({ id }) => id),
  )
  assert.deepEqual(
    batches.flatMap(({ truths }) => truths),
    samples.map(({ boxes }) => boxes),
  )
  batches[1]!.images.slice(0, 64 * 32 * 3).forEach((value, i) => {
    assert.equal(value, samples[4]!.image!.pixels[i])
  })
})

test('crop and resize move the boxes, and placements take them back', async () => {
  // Rows 8 .. 32 of 32, then 64x24 -> 128x96: x doubled, y less 8 and fourfold.
  const [batch] = await take({ input: [96, 128], batch: 1, crop: [0, 0.25, 1, 1] }, 0, 1)
  assert.deepEqual(batch?.truths[0], [{ x1: 16, y1: 0, x2: 48, y2: 48, label: 0 }])
  const back = toImage(batch!.truths[0]![0]!, batch!.placements[0]!)
  assert.deepEqual([back.x1, back.y1, back.x2, back.y2], [8, 8, 24, 20])
})

test('a flipped batch shows the mirrored image and the mirrored box', async () => {
  const options: LoaderOptions = {
    input: [32, 64],
    batch: 1,
    augment: { flip: 1, affine: false, colour: false },
  }
  const [batch] = await take(options, 0, 1)
  assert.deepEqual(batch?.truths[0], [{ x1: 40, y1: 4, x2: 56, y2: 20, label: 0 }])
  const { pixels } = samples[0]!.image!
  for (const [x, y] of [
    [0, 0],
    [63, 31],
    [17, 5],
  ] as const) {
    assert.equal(batch!.images[(y * 64 + x) * 3 + 1], pixels[(y * 64 + 63 - x) * 3 + 1])
  }
})

test('every epoch is a new permutation; dropLast keeps one shape', () => {
  const plan = {
    input: [32, 64],
    batch: 4,
    seed: 1,
    shuffle: true,
    augment: false,
    fit: 'stretch',
    fill: 0,
  } as const
  const epoch = (first: number) =>
    [0, 1, 2].flatMap((step) => batchIndices({ ...plan, dropLast: false }, 10, first + step).indices)
  const sorted = (list: number[]) => [...list].sort((a, b) => a - b)
  const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  assert.deepEqual(sorted(epoch(0)), all)
  assert.deepEqual(sorted(epoch(3)), all)
  assert.notDeepEqual(epoch(0), epoch(3))
  for (let step = 0; step < 6; step++) {
    const { epoch: number, indices } = batchIndices({ ...plan, dropLast: true }, 10, step)
    assert.equal(indices.length, 4)
    assert.equal(number, Math.floor(step / 2))
  }
})

test('a step gives the same batch whoever prepares it and wherever a run starts', async () => {
  const alone = await take(training, 0, 6)
  assert.ok(new Set(alone.map(({ shape }) => shape.join())).size > 1, 'multi-scale draws several sizes')
  for (const workers of [1, 2]) assert.deepEqual(await take({ ...training, workers }, 0, 6), alone)
  assert.deepEqual(await take(training, 4, 6), alone.slice(4))
  assert.notDeepEqual((await take({ ...training, seed: 4 }, 0, 1))[0], alone[0])
})

test('a batch takes a byte for each value, and is rounded once, to the nearest', async () => {
  const options: LoaderOptions = { input: [48, 80], batch: 3 }
  for (const workers of [0, 1]) {
    const [batch] = await take({ ...options, workers }, 0, 1)
    const { images, shape } = batch!
    assert.deepEqual(shape, [3, 48, 80, 3])
    assert.equal(images.buffer.byteLength, 3 * 48 * 80 * 3)
    const exact = new Float32Array(48 * 80 * 3)
    resample(samples[2]!.image!, { scaleX: 80 / 64, shiftX: 0, scaleY: 48 / 32, shiftY: 0 }, [48, 80], exact)
    images.subarray(2 * exact.length).forEach((byte, i) => {
      assert.ok(Math.abs(byte - 255 * exact[i]!) <= 0.5, `${byte} of ${255 * exact[i]!}`)
    })
  }
})

test('resampled into a frame of its own size and rounded, an image is what it was, whatever its bytes', () => {
  // So a batch may take its bytes as they are.
  const image = { width: 256, height: 1, pixels: Uint8Array.from({ length: 768 }, (_, i) => i / 3) }
  const target = new Float32Array(768)
  resample(image, { scaleX: 1, shiftX: 0, scaleY: 1, shiftY: 0 }, [1, 256], target, { fill: 114 })
  assert.deepEqual(
    Uint8ClampedArray.from(target, (value) => value * 255),
    Uint8ClampedArray.from(image.pixels),
  )
})

test('augmented boxes stay in the input', async () => {
  for (const { truths, shape } of await take(training, 0, 20)) {
    for (const box of truths.flatMap((boxes) => boxes ?? []))
      assert.ok(
        box.x1 >= 0 && box.y1 >= 0 && box.x2 <= shape[2] && box.y2 <= shape[1] && box.x2 - box.x1 >= 2,
      )
  }
})

test('files are decoded once, then come from memory or from the disk cache', async () => {
  const folder = join(scratch, 'cached')
  cpSync(join(fixtures, 'images'), join(folder, 'images'), { recursive: true })
  cpSync(join(fixtures, 'voc'), join(folder, 'Annotations'), { recursive: true })
  const { splits } = await openDataset(folder, { validation: false })
  const options: LoaderOptions = { input: [32, 64], batch: 3 }
  const loader = createLoader(splits.train!, options)
  const first = await loader.batchAt(0)
  // Two images of 64x40 and one of 48x32, each in whole blocks of 64 bytes.
  assert.equal(loader.statistics().cached, 2 * 64 * 40 * 3 + 48 * 32 * 3)
  const diskCache = join(scratch, 'frames')
  const none = await take({ ...options, cacheBytes: 0, diskCache }, 0, 1, splits.train)
  assert.deepEqual(none[0], first)
  const cached = readdirSync(diskCache)
  assert.equal(cached.length, 3)
  // A changed byte, a lost one, and nothing: decoded and written again.
  const whole = cached.map((name) => readFileSync(join(diskCache, name)))
  const changed = Buffer.from(whole[0]!)
  changed[changed.length - 7]! ^= 64
  for (const [i, content] of [changed, whole[1]!.subarray(1), Buffer.alloc(0)].entries())
    writeFileSync(join(diskCache, cached[i]!), content)
  const mended = await take({ ...options, cacheBytes: 0, diskCache }, 0, 1, splits.train)
  assert.deepEqual(mended[0], first)
  for (const [i, name] of cached.entries())
    assert.deepEqual(readFileSync(join(diskCache, name)), whole[i], name)
  // Frames that are kept in memory come from there the first time, too.
  rmSync(diskCache, { recursive: true })
  const both = await take({ ...options, diskCache }, 0, 1, splits.train)
  assert.deepEqual(both[0], first)
  assert.deepEqual(readdirSync(diskCache).sort(), [...cached].sort())
  const some = createLoader(splits.train!, { ...options, cacheBytes: 8000 })
  assert.deepEqual((await some.batchAt(0)).images, first.images)
  assert.ok(some.statistics().cached <= 8000)
  rmSync(join(folder, 'images'), { recursive: true })
  assert.deepEqual((await loader.batchAt(1)).images, first.images)
  await assert.rejects(some.batchAt(1), /images\/train\/.*\.jpg/)
})

test('the memory comes first, then the disk up to its limit, then decoding', async () => {
  const pixels = new Uint8Array(32 * 32 * 3)
  const files: LoadableSample[] = []
  for (let i = 0; i < 5; i++) {
    const file = join(scratch, `frame-${i}.png`)
    writeFileSync(file, await encodePng({ width: 32, height: 32, pixels: pixels.fill(40 * i) }))
    files.push({ id: `${i}`, file, width: 32, height: 32, boxes: [] })
  }
  const diskCache = join(scratch, 'limited')
  const frame = pixels.length
  const options = { input: [32, 32] as [number, number], batch: 5, cacheBytes: 2 * frame, diskCache }
  for (const workers of [0, 2]) {
    const loader = createLoader(files, { ...options, diskBytes: 2 * frame, workers })
    const { images } = await loader.batchAt(0)
    assert.deepEqual(
      files.map((_, i) => images[i * frame]),
      [0, 40, 80, 120, 160],
    )
    assert.equal(loader.statistics().cached, 2 * frame)
    assert.equal(readdirSync(diskCache).length, 2)
    await loader.batchAt(0)
    assert.equal(readdirSync(diskCache).length, 2)
    await loader.close()
  }
})

test('no more batches are prepared ahead than asked for', async () => {
  const loader = createLoader(samples, { ...training, workers: 2, prefetch: 3 })
  const stream = loader.batches()
  for (let step = 0; step < 5; step++) {
    await stream.next()
    assert.ok(loader.statistics().ahead <= 3)
  }
  const { batches, waited, waitedShare } = loader.statistics()
  assert.equal(batches, 5)
  assert.ok(waited > 0 && waitedShare > 0 && waitedShare <= 1)
  await loader.close()
})

test('two callers may ask for the same step, and one who stops early leaves nothing behind', async () => {
  const loader = createLoader(samples, { ...training, workers: 1 })
  const [one, other] = await Promise.all([loader.batchAt(0), loader.batchAt(0)])
  assert.deepEqual(one, other)
  for await (const batch of loader) if (batch.step === 2) break
  assert.equal(loader.statistics().ahead, 0)
  await loader.close()
})

test('an abort rejects the awaited batch and everything after', async () => {
  for (const workers of [0, 1]) {
    const stop = new AbortController()
    const loader = createLoader(samples, { ...training, workers, signal: stop.signal })
    await loader.batchAt(0)
    const pending = loader.batchAt(1)
    stop.abort(new Error('enough'))
    await assert.rejects(pending, /enough/)
    await assert.rejects(loader.batchAt(2), /enough/)
    await loader.close()
  }
  const early = createLoader(samples, { ...training, signal: AbortSignal.abort(new Error('never')) })
  await assert.rejects(early.batchAt(0), /never/)
})

test('a closed loader says so', async () => {
  const loader = createLoader(samples, { ...training, workers: 1 })
  const pending = loader.batchAt(0)
  const rejected = assert.rejects(pending, /the loader is closed/)
  await loader.close()
  await rejected
  await assert.rejects(loader.batchAt(1), /the loader is closed/)
})

test('a broken image is an error that names its file, in every kind of loader', async () => {
  const file = join(scratch, 'broken.png')
  writeFileSync(file, 'not an image')
  const broken = [{ id: 'broken', file, width: 8, height: 8, boxes: [] }]
  for (const workers of [0, 1]) {
    const loader = createLoader(broken, { input: [32, 32], batch: 1, workers })
    await assert.rejects(loader.batchAt(0), /broken\.png: expected a readable image/)
    await loader.close()
  }
  const image = join(fixtures, 'images/test/c_001.jpg')
  const other = createLoader([{ id: 'c', file: image, width: 8, height: 8, boxes: [] }], { input: [32, 32] })
  await assert.rejects(other.batchAt(0), /c_001\.jpg: expected 8x8 pixels as its sample says, found 64x40/)
})

test('a worker that dies is an error that names the files it had in hand', async () => {
  // A heap of 6 MiB is enough to start in and too small for the work.
  const loader = createLoader(samples, { ...training, shuffle: false, workers: 1, workerHeap: 6 })
  await assert.rejects(
    loader.batchAt(1),
    /data worker 0 failed .*step 1 \(\/nowhere\/4\.png, \/nowhere\/5\.png/,
  )
  await assert.rejects(loader.batchAt(2), /data worker 0 failed/)
  await loader.close()
})

test('impossible options are errors', () => {
  assert.throws(() => createLoader([], { input: [32, 64] }), /expected at least 1 samples, found 0/)
  assert.throws(
    () => createLoader(samples, { input: [32, 64], batch: 16, dropLast: true }),
    /at least 16 samples/,
  )
  assert.throws(() => createLoader(samples, { input: [32, 64], ...{ bach: 4 } }), /bach/)
})

test('a process ends without close when the loader is idle', async () => {
  const loader = createLoader(samples, { ...training, workers: 1 })
  await loader.batchAt(0)
  // Left open on purpose: this file would never finish if an idle worker held the process.
  assert.equal(loader.statistics().batches, 1)
})
