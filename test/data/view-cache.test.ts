import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createLoader, type LoadableSample, ViewWriter } from '../../lib/data'
import { findViews, viewBytes, writeView } from '../../lib/data/view-cache'

const root = mkdtempSync(join(tmpdir(), 'view-cache-'))
after(() => rmSync(root, { recursive: true, force: true }))
const folder = () => mkdtempSync(join(root, 'f-'))

/** Two views of three pixels, and the numbers of each. */
const images = Float32Array.of(1, 2, 3, 4, 5, 6)
const numbers = [Float32Array.of(0.1, -0, 1e-45), Float32Array.of(Number.NaN, 7, Number.POSITIVE_INFINITY)]

async function filled() {
  const cache = { folder: folder(), key: 'a' }
  const { names } = await findViews(cache, images, 2)
  for (const [i, name] of names.entries()) await writeView(cache.folder, name, numbers[i]!)
  return { cache, names }
}

const bytes = (values: Float32Array | undefined) =>
  values && Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

describe('views on disk', () => {
  test('come back bit for bit, by their pixels', async () => {
    const { cache } = await filled()
    const { values, damaged } = await findViews(cache, images, 2)
    assert.equal(bytes(values), numbers.map(bytes).join(''))
    assert.equal(damaged, 0)
    const swapped = await findViews(cache, Float32Array.of(4, 5, 6, 1, 2, 3), 2)
    assert.equal(bytes(swapped.values), [...numbers].reverse().map(bytes).join(''))
  })

  test('are not found for another pixel or another key, nor unless all are there', async () => {
    const { cache, names } = await filled()
    const other = await findViews(cache, Float32Array.of(1, 2, 3, 4, 5, 6.0000005), 2)
    assert.equal(other.values, undefined)
    assert.equal(other.names[0], names[0])
    assert.notEqual(other.names[1], names[1])
    assert.equal((await findViews({ ...cache, key: 'b' }, images, 2)).values, undefined)
    rmSync(join(cache.folder, names[1]!))
    assert.deepEqual(await findViews(cache, images, 2), { names, values: undefined, damaged: 0 })
  })

  test('are not found where a file was changed, cut short or belongs to another view', async () => {
    const { cache, names } = await filled()
    const [first, second] = names.map((name) => join(cache.folder, name)) as [string, string]
    const content = readFileSync(first)
    const damaged = async () => {
      const found = await findViews(cache, images, 2)
      assert.equal(found.values, undefined)
      return found.damaged
    }
    const changed = Buffer.from(content)
    changed[content.length - 1]! ^= 1
    for (const wrong of [changed, content.subarray(0, -4), content.subarray(0, 7), Buffer.alloc(0)]) {
      writeFileSync(first, wrong)
      assert.equal(await damaged(), 1)
    }
    writeFileSync(first, readFileSync(second))
    assert.equal(await damaged(), 1)
    writeFileSync(first, content)
    assert.equal((await findViews(cache, images, 2)).damaged, 0)
  })
})

describe('a writer', () => {
  const size = viewBytes(numbers[0]!.length)
  const names = (cache: { folder: string }) => readdirSync(cache.folder).sort()

  test('makes its folder, also anew, and leaves no temporary file', async () => {
    const cache = { folder: join(folder(), 'collection'), key: 'a' }
    const writer = new ViewWriter(cache, 1e6)
    writer.keep('x', numbers[0]!)
    await writer.flush()
    rmSync(cache.folder, { recursive: true })
    writer.keep('y', numbers[0]!)
    await writer.flush()
    assert.deepEqual(names(cache), ['y'])
  })

  test('stays under the limit', async () => {
    const cache = { folder: join(folder(), 'collection'), key: 'a' }
    const writer = new ViewWriter(cache, 3 * size)
    for (const name of 'abcdef') writer.keep(name, numbers[0]!)
    await writer.flush()
    assert.deepEqual(names(cache), ['a', 'b', 'c'])
    const next = new ViewWriter(cache, 4 * size)
    for (const name of 'xyz') next.keep(name, numbers[0]!)
    await next.flush()
    assert.deepEqual(names(cache), ['a', 'b', 'c', 'x'])
  })

  test('removes the collection that was not used for longest, and what a killed process left half-written', async () => {
    const all = folder()
    const minutesAgo = (minutes: number) => new Date(Date.now() - 60_000 * minutes)
    const place = (name: string, file: string, age: number) => {
      mkdirSync(join(all, name), { recursive: true })
      writeFileSync(join(all, name, file), Buffer.alloc(size))
      utimesSync(join(all, name, file), minutesAgo(age), minutesAgo(age))
      utimesSync(join(all, name), minutesAgo(age), minutesAgo(age))
    }
    place('newer', 'view', 10)
    place('oldest', 'view', 30)
    place('old', 'view', 20)
    place('own', 'view.1.tmp', 70)
    place('own', 'view.2.tmp', 20)
    const cache = { folder: join(all, 'own'), key: 'a' }
    const writer = new ViewWriter(cache, 4 * size)
    writer.keep('a', numbers[0]!)
    await writer.flush()
    assert.deepEqual(readdirSync(all).sort(), ['newer', 'old', 'own'])
    assert.deepEqual(names(cache), ['a', 'view.2.tmp'])
  })

  test('says where it cannot write', async () => {
    const cache = { folder: join(folder(), 'collection'), key: 'a' }
    const writer = new ViewWriter(cache, 1e6)
    rmSync(cache.folder, { recursive: true })
    writeFileSync(cache.folder, 'a file')
    writer.keep('x', numbers[0]!)
    const message =
      /collection: expected to keep the teacher's outputs here, found: .*; mend it, or take teacherCache out/
    await assert.rejects(writer.flush(), message)
    assert.throws(() => writer.keep('y', numbers[0]!), message)
  })

  test('shares its folder with another process', async () => {
    const cache = { folder: join(folder(), 'collection'), key: 'a' }
    const views = 200
    const module = join(__dirname, '../../lib/data')
    const code = `
      const { ViewWriter } = require(${JSON.stringify(module)})
      const writer = new ViewWriter(${JSON.stringify(cache)}, 1e9)
      for (let i = 0; i < ${views}; i++) writer.keep('view' + i, Float32Array.from({ length: 500 }, () => i))
      writer.flush().then(() => process.exit(0))`
    const children = [1, 2].map(() =>
      spawn(process.execPath, ['--require', 'tsx/cjs', '-e', code], { stdio: 'inherit' }),
    )
    const ends = await Promise.all(children.map((child) => once(child, 'close')))
    assert.deepEqual(
      ends.map(([status]: unknown[]) => status),
      [0, 0],
    )
    assert.equal(names(cache).length, views)
    for (let i = 0; i < views; i++) {
      const content = readFileSync(join(cache.folder, `view${i}`))
      assert.equal(content.length, viewBytes(500))
      assert.equal(content.readFloatLE(content.length - 4), i)
    }
  })
})

describe('a loader with a view cache', () => {
  const pixels = (seed: number) => Uint8Array.from({ length: 64 * 32 * 3 }, (_, i) => (i * seed) % 251)
  const samples = [1, 2, 3, 5].map(
    (seed): LoadableSample => ({
      ...{ id: `image ${seed}`, file: 'none', width: 64, height: 32, boxes: [] },
      image: { width: 64, height: 32, pixels: pixels(seed) },
    }),
  )
  const options = { input: [32, 64] as [number, number], batch: 2, shuffle: true, seed: 3, dropLast: true }

  for (const workers of [0, 1]) {
    test(`looks every view up, ${workers} workers`, async () => {
      const cache = { folder: folder(), key: 'a' }
      const loader = createLoader(samples, { ...options, workers, augment: {}, views: 2, viewCache: cache })
      try {
        const byView = new Map<string, Float32Array>()
        for (let step = 0; step < 4; step++) {
          const { found, indices, epoch } = await loader.batchAt(step)
          assert.equal(found?.values, undefined)
          for (const [i, name] of found!.names.entries()) {
            const values = Float32Array.of(indices[i]!, epoch)
            byView.set(name, values)
            await writeView(cache.folder, name, values)
          }
        }
        assert.equal(byView.size, 8)
        for (let step = 4; step < 12; step++) {
          const { found, indices, epoch } = await loader.batchAt(step)
          assert.deepEqual(found?.values, Float32Array.from(indices.flatMap((index) => [index, epoch % 2])))
        }
      } finally {
        await loader.close()
      }
    })
  }

  test('goes round a fixed number of views; without one every epoch has its own', async () => {
    const pixelsAt = async (views: number | undefined, epoch: number) => {
      const loader = createLoader(samples, { ...options, shuffle: false, augment: {}, views })
      return bytes((await loader.batchAt(2 * epoch)).images)
    }
    const first = await pixelsAt(undefined, 0)
    assert.equal(await pixelsAt(1, 1), first)
    assert.equal(await pixelsAt(2, 4), first)
    assert.equal(await pixelsAt(2, 3), await pixelsAt(undefined, 1))
    assert.notEqual(await pixelsAt(2, 1), first)
    assert.notEqual(await pixelsAt(undefined, 2), first)
  })
})
