/** Every kind of file that a result depends on, damaged in every way: each is noticed and named, or mended. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, type TestContext, test } from 'node:test'
import { Random } from '../lib/base'
import { createLoader, type Dataset, generateScenes, openDataset, type Sample } from '../lib/data'
import { readScenes } from '../lib/data/scene-files'
import { planPruning, readStructure, writeStructure } from '../lib/slimming'
import { readSweepFile, SWEEPS } from '../lib/study'
import { resultsOf, runSideBySide } from '../lib/study/runner'
import { encodeSafetensors, loadCheckpoint, saveCheckpoint } from '../lib/train'
import {
  FILES,
  findTrial,
  loadModel,
  readDetections,
  readLog,
  refTo,
  runTask,
  runTrial,
  type TrialConfig,
  trialFolder,
  trialSchema,
  writeTask,
} from '../lib/trial'
import { sealCommand } from '../lib/workbench/commands/seal'
import { TINY_SOURCE, teacherTrial, tinyData } from './study/tiny'
import { TINY_SCENES, temporary, tinyDetector, tinyWeights } from './train/tiny'

interface Damage {
  readonly what: string
  /** Undefined where the file is gone. */
  readonly bytes: Buffer | undefined
}

/** A file with a bit that is another, cut off, and with another whole file of its kind in its place. */
function damagesOf(file: string, other?: Buffer): Damage[] {
  const whole = readFileSync(file)
  const random = new Random('damage', file.split('/').at(-1)!)
  const flips = Array.from({ length: 6 }, (_, i): Damage => {
    // First and last too: headers and seals lie there.
    const at = i === 0 ? 0 : i === 1 ? whole.length - 2 : random.integer(whole.length)
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 1 << random.integer(8)
    return { what: `another bit in byte ${at} of ${whole.length}`, bytes }
  })
  const cuts = [0, whole.length >> 1, whole.length - 2].map((length): Damage => {
    return { what: `${length} of ${whole.length} bytes`, bytes: whole.subarray(0, length) }
  })
  return [...flips, ...cuts, ...(other ? [{ what: 'another whole file', bytes: other }] : [])]
}

const gone: Damage = { what: 'no file', bytes: undefined }

/** Tries all damages of a file, and puts it back after each. */
async function forEach(
  file: string,
  damages: readonly Damage[],
  check: (what: string) => unknown,
): Promise<void> {
  const whole = readFileSync(file)
  for (const { what, bytes } of damages) {
    if (bytes) writeFileSync(file, bytes)
    else rmSync(file)
    await check(`${file}: ${what}`)
    writeFileSync(file, whole)
  }
}

/** Reading it says which file it is and how to go on. */
const isNamed = (file: string, read: () => unknown, advice: RegExp) => (what: string) =>
  assert.rejects(
    async () => read(),
    (error: Error) => {
      assert.ok(error.message.startsWith(file), `${what}: ${error.message}`)
      assert.match(error.message, advice, what)
      return true
    },
    what,
  )

/** The warnings that a test has caused so far. */
function warningsOf(t: TestContext): () => string {
  const { mock } = t.mock.method(console, 'error', () => undefined)
  return () => mock.calls.map(({ arguments: words }) => String(words[0])).join('\n')
}

const shape = { input: [32, 64] as [number, number], batch: 3 }

/** Pixels of all images of a split, decoded anew. */
async function pixelsOf(samples: readonly Sample[], workers = 0, more: object = {}): Promise<Uint8Array[]> {
  const loader = createLoader(samples, { ...shape, workers, ...more })
  const pixels: Uint8Array[] = []
  try {
    for await (const { images } of loader.batches(0, loader.stepsPerEpoch)) pixels.push(images)
  } finally {
    await loader.close()
  }
  return pixels
}

describe('rendered scenes', () => {
  let directory: string
  let dataset: Dataset
  let folder: string
  before(async () => {
    directory = temporary()
    dataset = await generateScenes(directory, TINY_SCENES, { workers: 1 })
    folder = join(directory, readdirSync(directory)[0]!)
  })

  test('manifest and lists: each damage is named, and all is rendered again', async (t) => {
    const warnings = warningsOf(t)
    const elsewhere = temporary()
    await generateScenes(elsewhere, { ...TINY_SCENES, seed: 2 }, { workers: 1 })
    const other = join(elsewhere, readdirSync(elsewhere)[0]!)
    for (const name of ['manifest.json', 'train.txt', 'train.sha256', 'classes.txt']) {
      const file = join(folder, name)
      const whole = readFileSync(file)
      // The classes are the same everywhere, and a manifest is one of a whole other set.
      const another = name.startsWith('train') ? readFileSync(join(other, name)) : undefined
      await forEach(
        file,
        [...damagesOf(file, another), gone],
        isNamed(file, () => readScenes(folder), /delete the folder and the scenes are rendered again/),
      )
      writeFileSync(file, whole.subarray(0, whole.length - 2))
      assert.deepEqual(await generateScenes(directory, TINY_SCENES, { workers: 1 }), dataset, name)
      assert.deepEqual(readFileSync(file), whole, name)
      assert.match(
        warnings(),
        new RegExp(`warning: ${file}[^\n]*; the scenes of ${folder} are rendered again`),
      )
    }
    assert.deepEqual(readdirSync(directory), [folder.split('/').at(-1)])
  })

  test('the manifest of other scenes in its place is noticed', async () => {
    const elsewhere = temporary()
    await generateScenes(elsewhere, { ...TINY_SCENES, seed: 2 }, { workers: 1 })
    const other = readFileSync(join(elsewhere, readdirSync(elsewhere)[0]!, 'manifest.json'))
    const file = join(folder, 'manifest.json')
    await forEach(file, [{ what: 'another whole file', bytes: other }], (what) =>
      assert.rejects(readScenes(folder), /expected SHA-256 .* as manifest\.json says/, what),
    )
  })

  test('an image: each damage is noticed when it is decoded, and it is drawn again', async (t) => {
    const warnings = warningsOf(t)
    const samples = dataset.splits.train!
    const { file } = samples[1]!
    const expected = await pixelsOf(samples)
    const whole = readFileSync(file)
    await forEach(file, [...damagesOf(file, readFileSync(samples[2]!.file)), gone], async (what) => {
      assert.deepEqual(await pixelsOf(samples), expected, what)
      assert.deepEqual(readFileSync(file), whole, what)
    })
    assert.match(warnings(), new RegExp(`${file}: expected SHA-256 .*; the scene was rendered again`))
    // In a thread of its own too, whose warnings are its own.
    writeFileSync(file, readFileSync(samples[2]!.file))
    assert.deepEqual(await pixelsOf(samples, 1), expected)
    assert.deepEqual(readFileSync(file), whole)
  })

  test('decoded frames on the disk: each damage is mended', async () => {
    const diskCache = temporary()
    const onDisk = { cacheBytes: 0, diskCache }
    const samples = dataset.splits.validation!
    const expected = await pixelsOf(samples, 0, onDisk)
    const [name, next] = readdirSync(diskCache)
    const file = join(diskCache, name!)
    const whole = readFileSync(file)
    await forEach(file, damagesOf(file, readFileSync(join(diskCache, next!))), async (what) => {
      assert.deepEqual(await pixelsOf(samples, 0, onDisk), expected, what)
      assert.deepEqual(readFileSync(file), whole, what)
    })
  })
})

describe("a data set of the user's", () => {
  const folder = temporary()
  const cache = temporary()
  before(() => {
    cpSync(join(__dirname, 'data/fixtures/images'), join(folder, 'images'), { recursive: true })
    cpSync(join(__dirname, 'data/fixtures/voc'), join(folder, 'Annotations'), { recursive: true })
  })

  test('an image that is not the one that was hashed is named', async () => {
    const { splits } = await openDataset(folder, { validation: false })
    const [sample, other] = splits.train!
    const { file } = sample!
    await forEach(
      file,
      damagesOf(file, readFileSync(other!.file)),
      isNamed(
        file,
        () => pixelsOf(splits.train!),
        /restore it; or, if the change is intended, touch the file/,
      ),
    )
    await pixelsOf(splits.train!)
  })

  test('the record of sizes and hashes: each damage is mended', async (t) => {
    const warnings = warningsOf(t)
    const options = { validation: false, cache } as const
    const { hash } = await openDataset(folder, options)
    const file = join(cache, readdirSync(cache)[0]!)
    const whole = readFileSync(file)
    await forEach(file, damagesOf(file), async (what) => {
      assert.equal((await openDataset(folder, options)).hash, hash, what)
      assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(whole.toString()), what)
    })
    assert.match(warnings(), new RegExp(`${file}.*; the images are measured again`))
  })
})

describe('a trial', () => {
  const redo = /remove the folder to redo the trial/
  const cache = temporary()
  const runs = join(temporary(), 'trials')
  let config: TrialConfig
  let folder: string
  let other: string
  const fileOf = (name: string) => join(folder, name)
  const ofOther = (name: string) => readFileSync(join(other, name))
  before(async () => {
    const dataset = await tinyData(cache)
    config = teacherTrial(dataset, 2)
    folder = join(runs, trialFolder(config))
    const told = { runs, source: TINY_SOURCE, cache, checkpointEvery: 1, logEvery: 1 }
    await runTask(writeTask(config, told).file, folder)
    const evaluation = trialSchema.parse({
      ...{ kind: 'evaluate', data: { hash: dataset.hash }, start: refTo(config) },
      ...{ split: 'test', batch: 3, precision: 'float32' },
    })
    other = join(runs, trialFolder(evaluation))
    await runTask(writeTask(evaluation, told).file, other)
  })

  test('config and metrics are named', async () => {
    for (const name of [FILES.config, FILES.metrics]) {
      const file = fileOf(name)
      await forEach(
        file,
        damagesOf(file),
        isNamed(file, () => findTrial(runs, config), redo),
      )
      await forEach(file, [{ what: "another trial's", bytes: ofOther(name) }], (what) =>
        assert.rejects(
          async () => findTrial(runs, config),
          /metrics\.json: expected hash [0-9a-f]{64} of its config, found [0-9a-f]{64}; remove the folder/,
          what,
        ),
      )
    }
    // Both: a whole folder of another trial under this one's name.
    const [ownConfig, ownMetrics] = [FILES.config, FILES.metrics].map((name) => readFileSync(fileOf(name)))
    writeFileSync(fileOf(FILES.config), ofOther(FILES.config))
    writeFileSync(fileOf(FILES.metrics), ofOther(FILES.metrics))
    assert.throws(() => findTrial(runs, config), /expected hash [0-9a-f]{64} of the trial, found/)
    writeFileSync(fileOf(FILES.config), ownConfig!)
    writeFileSync(fileOf(FILES.metrics), ownMetrics!)
    assert.ok(findTrial(runs, config))
  })

  test('the task is named before anything runs', async () => {
    const file = fileOf('task.json')
    await forEach(
      file,
      damagesOf(file),
      isNamed(file, () => runTask(file, folder), /start the study again/),
    )
  })

  test('detections are named', async () => {
    const file = fileOf(FILES.detections)
    await forEach(
      file,
      damagesOf(file, ofOther(FILES.detections)),
      isNamed(file, () => readDetections(folder), redo),
    )
    readDetections(folder)
  })

  test('the model and its numbers are named', async () => {
    const numbers = readdirSync(folder).find((name) => /^model\..*\.safetensors$/.test(name))!
    const read = () => loadModel(refTo(config), runs)
    for (const name of [FILES.model, numbers]) {
      const file = fileOf(name)
      const another = name === numbers ? encodeSafetensors(tinyWeights(7)) : undefined
      await forEach(file, damagesOf(file, another), isNamed(file, read, /train it again/))
    }
    // Another whole model: of another trial, and one that says it is of this.
    for (const trial of ['f'.repeat(64), refTo(config)]) {
      const before = readFileSync(fileOf(FILES.model))
      const kept = readFileSync(fileOf(numbers))
      const provenance = typeof trial === 'string' ? { trial } : { trial: 'trial' in trial && trial.trial }
      const model = { network: tinyDetector(), classes: [], step: 2, weights: tinyWeights(7) }
      saveCheckpoint(fileOf(FILES.model), { ...model, optimizer: new Map(), provenance })
      assert.throws(
        read,
        /model\.json: expected (the model of trial|weights with SHA-256) .*; remove the folder/,
      )
      writeFileSync(fileOf(numbers), kept)
      writeFileSync(fileOf(FILES.model), before)
    }
    read()
  })

  test('a log is named by a warning, and what is whole of it is read', async (t) => {
    const warnings = warningsOf(t)
    const file = fileOf(FILES.log)
    const rows = readLog(folder)
    assert.equal(rows.length, 2)
    await forEach(file, damagesOf(file), (what) => assert.ok(readLog(folder).length <= 2, what))
    assert.match(warnings(), new RegExp(`${file}: expected SHA-256 .* as the metrics beside it say`))
    assert.match(warnings(), new RegExp(`${file}:\\d: expected .*; the line is left out`))
    assert.deepEqual(readLog(folder), rows)
  })

  test('the results of an earlier version are named with the command that seals them, and read after it', async (t) => {
    const { mock } = t.mock.method(console, 'log', () => undefined)
    const old = join(temporary(), 'trials')
    cpSync(runs, old, { recursive: true })
    const own = join(old, trialFolder(config))
    for (const name of [FILES.config, FILES.metrics, 'task.json']) {
      const { document: _, files: __, ...before } = JSON.parse(readFileSync(join(own, name), 'utf8'))
      writeFileSync(join(own, name), JSON.stringify(before))
    }
    writeFileSync(join(own, 'notes.json'), '{"document": 1}')
    assert.throws(
      () => findTrial(old, config),
      new RegExp(
        `expected its seal, .*found none; .*: "npx workbook seal ${old}" seals it as it is; or remove`,
      ),
    )
    const seal = () => sealCommand().parseAsync([old], { from: 'user' })
    await assert.rejects(seal, /notes\.json: expected SHA-256 1 as its key "document" says/)
    assert.match(String(mock.calls.at(-1)?.arguments[0]), /^3 files sealed, /)
    writeFileSync(join(own, 'notes.json'), '{"mine": 1}')
    await seal()
    assert.match(
      String(mock.calls.at(-1)?.arguments[0]),
      /^0 files sealed, \d+ already .*, 1 JSON files left/,
    )
    assert.equal(readFileSync(join(own, 'notes.json'), 'utf8'), '{"mine": 1}')
    assert.deepEqual(findTrial(old, config)?.metrics, findTrial(runs, config)?.metrics)
    assert.deepEqual(readDetections(own), readDetections(folder))
  })

  test("a study passes on what a trial's process has repaired", async (t) => {
    const warnings = warningsOf(t)
    const dataset = await tinyData(cache)
    // Two steps see four of the six.
    for (const { file } of dataset.splits.train!) writeFileSync(file, 'no image')
    const again = join(temporary(), 'trials')
    const told = { source: TINY_SOURCE, cache, workers: 1, checkpointEvery: 100, logEvery: 1 }
    const [result] = resultsOf(await runSideBySide([config], { runs: again, ...told }))
    assert.equal(result!.metrics.weights, findTrial(runs, config)!.metrics.weights)
    assert.match(
      warnings(),
      /warning: .*train\/00000\d\.png: expected SHA-256 .*; the scene was rendered again/,
    )
  })

  test("a training goes on from no other trial's checkpoint", async () => {
    const dataset = await tinyData(cache)
    const one = teacherTrial(dataset, 3, 3)
    const own = join(runs, trialFolder(one))
    const context = { folder: own, runs, dataset, checkpointEvery: 1, logEvery: 1 }
    const stop = new AbortController()
    await assert.rejects(
      runTrial(one, { ...context, signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }),
      /enough/,
    )
    const file = join(own, 'checkpoint.json')
    const { provenance, ...checkpoint } = loadCheckpoint(file)
    saveCheckpoint(file, { ...checkpoint, provenance: { ...provenance, trial: 'f'.repeat(64) } })
    await assert.rejects(
      runTrial(one, context),
      /checkpoint\.json: training\.trial: expected "[0-9a-f]{64}" .*found "f{64}"/,
    )
    await forEach(
      file,
      damagesOf(file),
      isNamed(file, () => runTrial(one, context), /train it again/),
    )
    assert.ok(!existsSync(join(own, FILES.metrics)))
  })
})

test('a pruned structure and a result of a sweep are named', async () => {
  const folder = temporary()
  const structure = join(folder, 'structure.json')
  const network = tinyDetector()
  const plan = planPruning(network, tinyWeights(), { budget: { of: 'macs', percent: 60 } })
  writeStructure(structure, { network, plan, provenance: {} })
  await forEach(
    structure,
    damagesOf(structure),
    isNamed(structure, () => readStructure(structure), /write/),
  )
  const sweep = join(folder, 'recovery.json')
  cpSync(join(SWEEPS, 'recovery.json'), sweep)
  await forEach(
    sweep,
    damagesOf(sweep),
    isNamed(sweep, () => readSweepFile(sweep), /run the sweep again/),
  )
})
