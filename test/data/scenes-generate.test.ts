import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { generateScenes } from '../../lib/data/generate'
import { readImage } from '../../lib/data/images'
import { renderScene, SCENE_CLASSES } from '../../lib/data/scenes'
import type { Dataset } from '../../lib/data/types'
import { deadEnding } from '../base/dead'

const folders: string[] = []
async function folder(): Promise<string> {
  const name = await mkdtemp(join(tmpdir(), 'scenes-'))
  folders.push(name)
  return name
}
after(async () => {
  for (const name of folders) await rm(name, { recursive: true, force: true })
})

const CONFIG = {
  splits: { train: 20, validation: 3, test: 3, unlabelled: 2, shifted: 3 },
  seed: 5,
  width: 128,
  height: 48,
}

/** The part that does not depend on where the files are. */
function content(dataset: Dataset): unknown {
  const { splits, ...rest } = dataset
  const samples = Object.entries(splits).map(([name, list]) => [
    name,
    list.map(({ id, width, height, boxes }) => ({ id, width, height, boxes })),
  ])
  return { ...rest, samples }
}

test('one and two threads write the same data set, and its files are the scenes', async () => {
  const first = await generateScenes(await folder(), CONFIG, { workers: 1 })
  const second = await generateScenes(await folder(), CONFIG, { workers: 2 })
  assert.deepEqual(content(first), content(second))
  assert.deepEqual(first.classes, [...SCENE_CLASSES])
  assert.deepEqual(
    Object.entries(first.splits).map(([name, samples]) => [name, samples.length]),
    Object.entries(CONFIG.splits),
  )
  assert.equal(first.hash, '4921fa4c908eb924d67301edbcee385ff0324735523fd2fe07c11f262f61302c')

  for (const [split, index, style] of [
    ['train', 17, 'default'],
    ['shifted', 2, 'shifted'],
  ] as const) {
    const scene = renderScene({ seed: 5, index, stream: split, style, width: 128 })
    const sample = first.splits[split]![index]!
    assert.deepEqual(sample.boxes, scene.boxes)
    assert.deepEqual((await readImage(sample.file)).pixels, Buffer.from(scene.image.pixels))
  }
  assert.ok(first.splits.unlabelled!.every(({ boxes }) => boxes === undefined))

  const images = new Set<string>()
  for (const { file } of Object.values(first.splits).flat()) {
    images.add(
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    )
  }
  assert.equal(images.size, 31, 'no image is in two splits')
})

test('a finished folder is used again, and another config has its own', async () => {
  const directory = await folder()
  const small = { ...CONFIG, splits: { test: 2 } }
  const made = await generateScenes(directory, small)
  const progress: number[] = []
  const again = await generateScenes(directory, small, { onProgress: (done) => progress.push(done) })
  assert.deepEqual(again, made)
  assert.equal(progress.length, 0)
  const other = await generateScenes(
    directory,
    { ...small, seed: 6 },
    { onProgress: (done) => progress.push(done) },
  )
  assert.notEqual(other.hash, made.hash)
  assert.deepEqual(progress, [2])
  assert.equal((await readdir(directory)).length, 2)
})

test('frames of 16:9 show all of the frame', async () => {
  const config = { ...CONFIG, splits: { test: 1 }, width: 192, height: 108 }
  const { splits } = await generateScenes(await folder(), config)
  const [sample] = splits.test!
  assert.deepEqual([sample!.width, sample!.height], [192, 108])
  const scene = renderScene({ seed: 5, index: 0, stream: 'test', width: 192, frame: 'full' })
  assert.deepEqual((await readImage(sample!.file)).pixels, Buffer.from(scene.image.pixels))
})

test('a split is the beginning of the same split with more images', async () => {
  const directory = await folder()
  const few = await generateScenes(directory, { ...CONFIG, splits: { test: 2 } })
  const more = await generateScenes(directory, { ...CONFIG, splits: { test: 4, train: 1 } })
  assert.deepEqual(
    few.splits.test!.map(({ id, boxes }) => ({ id, boxes })),
    more.splits.test!.slice(0, 2).map(({ id, boxes }) => ({ id, boxes })),
  )
})

test('an interrupted run leaves nothing behind and is repeated', async () => {
  const directory = await folder()
  const config = { ...CONFIG, splits: { train: 64 } }
  const controller = new AbortController()
  const stopped = generateScenes(directory, config, {
    workers: 1,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('stopped by hand')),
  })
  await assert.rejects(stopped, /stopped by hand/)
  assert.deepEqual(await readdir(directory), [])
  const progress: number[] = []
  const dataset = await generateScenes(directory, config, { onProgress: (done) => progress.push(done) })
  assert.equal(dataset.splits.train!.length, 64)
  assert.deepEqual(progress, [16, 32, 48, 64])
})

test("a killed process's leftovers are removed, a running one's work is not", async () => {
  const directory = await folder()
  const config = { ...CONFIG, splits: { test: 1 } }
  const name = (await generateScenes(directory, config)).splits.test![0]!.file.split('/').at(-3)!
  const dead = `${name}${deadEnding()}`
  const alive = `${name}.${process.pid}-@${hostname()}.0a1b2c3d.tmp`
  await rename(join(directory, name), join(directory, dead))
  await mkdir(join(directory, alive))
  await generateScenes(directory, config)
  assert.deepEqual((await readdir(directory)).sort(), [name, alive].sort())
})

test('two callers at the same time get the same whole folder', async () => {
  const directory = await folder()
  const config = { ...CONFIG, splits: { train: 20 } }
  const [a, b] = await Promise.all([
    generateScenes(directory, config, { workers: 1 }),
    generateScenes(directory, config, { workers: 1 }),
  ])
  assert.deepEqual(a, b)
  assert.equal((await readdir(directory)).length, 1)
})

test('a config with an unknown key is an error', async () => {
  const directory = await folder()
  const config = { ...CONFIG, splits: { test: 2 } }
  const wrong = { splits: { tests: 1 } } as unknown as typeof config
  await assert.rejects(generateScenes(directory, wrong), /tests/)
})
