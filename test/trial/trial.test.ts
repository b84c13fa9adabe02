import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { complexity, initialWeights, layersOf, type NetworkSpec } from '../../lib/detector'
import { evaluateDetections } from '../../lib/evaluate'
import { prune, readStructure } from '../../lib/slimming'
import { loadCheckpoint } from '../../lib/train'
import {
  loadModel,
  readDetections,
  readTrial,
  refTo,
  runTrial,
  type TrialConfig,
  type TrialProgress,
  type TrialResult,
  trialFolder,
  trialHash,
  trialSchema,
  writeConfig,
} from '../../lib/trial'
import { deadEnding } from '../base/dead'
import { placeModel, teacherTrial, tinyData, tinyTraining } from '../study/tiny'
import { hashOf, temporary, tinyDetector, tinyWeights } from '../train/tiny'

const runs = join(temporary(), 'trials')
let dataset: Dataset
before(async () => {
  dataset = await tinyData(temporary())
})

const folderOf = (config: TrialConfig, under = runs) => join(under, trialFolder(config))

function run(config: TrialConfig, onProgress?: (progress: TrialProgress) => void): Promise<TrialResult> {
  const folder = folderOf(config)
  return runTrial(config, { folder, runs, dataset, checkpointEvery: 100, logEvery: 1, onProgress })
}

describe('a training', () => {
  let config: TrialConfig
  let result: TrialResult
  const events: TrialProgress[] = []
  before(async () => {
    config = teacherTrial(dataset, 2)
    result = await run(config, (event) => events.push(event))
  })

  test('leaves config, log, model, detections and metrics, and no checkpoint', () => {
    const names = readdirSync(result.folder).sort()
    const model = names.find((name) => /^model\.[0-9a-f]{12}\.safetensors$/.test(name))
    assert.deepEqual(
      names,
      ['config.json', 'detections.safetensors', 'log.jsonl', 'metrics.json', 'model.json', model].sort(),
    )
    const { document: _, ...written } = JSON.parse(readFileSync(join(result.folder, 'config.json'), 'utf8'))
    assert.deepEqual(written, config)
  })

  test('records what it measured, and on what', () => {
    const { metrics } = result
    assert.equal(metrics.hash, trialHash(config))
    assert.equal(metrics.kind, 'teacher')
    assert.deepEqual([metrics.evaluation.split, metrics.evaluation.images], ['validation', 3])
    assert.equal(metrics.complexity.macs, complexity(tinyDetector()).macs)
    assert.equal(metrics.training?.steps, 2)
    assert.equal(metrics.training.images, 4)
    assert.equal(metrics.training.macs, 4 * 3 * metrics.complexity.macs)
    assert.ok(metrics.training.last.total! > 0)
    assert.equal(metrics.provenance.data, dataset.hash)
    for (const key of ['commit', 'node', 'tensorflow', 'device', 'threads', 'finished'])
      assert.ok(metrics.provenance[key], key)
  })

  test('exports a model without optimizer, which other trials find by the hash', () => {
    const model = loadModel(refTo(config), runs)
    assert.equal(model.sha256, result.metrics.weights)
    assert.equal(model.optimizer.size, 0)
    assert.deepEqual([...model.weights.keys()], [...tinyWeights().keys()])
    assert.deepEqual(model.classes, dataset.classes)
    assert.equal(model.step, 2)
    assert.notEqual(hashOf(model.weights), hashOf(tinyWeights()))
  })

  test('stores the detections from which its numbers come', () => {
    const { truths, detections, ids } = readDetections(result.folder)
    assert.deepEqual(
      ids,
      dataset.splits.validation!.map(({ id }) => id),
    )
    const { voc, coco, truths: count } = evaluateDetections(truths, detections, { classes: dataset.classes })
    assert.equal(count, result.metrics.evaluation.truths)
    assert.equal(detections.score.length, result.metrics.evaluation.detections)
    assert.equal(voc.mAP, result.metrics.evaluation.voc.mAP)
    assert.equal(coco.AP, result.metrics.evaluation.coco.AP)
  })

  test('reports its progress', () => {
    const training = events.flatMap((event) => (event.phase === 'training' ? [event.progress.step] : []))
    assert.deepEqual(training, [1, 2])
    assert.deepEqual(events.at(-1), { phase: 'evaluating', done: 3, total: 3 })
  })

  test('is read when it is requested again', async () => {
    const written = () =>
      readdirSync(result.folder).map((name) => statSync(join(result.folder, name)).mtimeMs)
    const times = written()
    assert.deepEqual(await run(config, () => assert.fail('nothing runs')), result)
    assert.deepEqual(written(), times)
  })

  test('has weights that an evaluation on the test split loads', async () => {
    const evaluation = trialSchema.parse({
      kind: 'evaluate',
      data: config.data,
      start: refTo(config),
      split: 'test',
      batch: 2,
      precision: 'float32',
    })
    const { metrics } = await run(evaluation)
    assert.equal(metrics.weights, result.metrics.weights)
    assert.equal(metrics.evaluation.split, 'test')
    assert.equal(metrics.training, undefined)
  })
})

/** Channels out of a layer. */
const widthOf = (network: NetworkSpec, name: string): number =>
  layersOf(network).layers.find((layer) => layer.name === name)!.out

test('pruning gives a narrower model with the requested fraction of MACs', async () => {
  const network = tinyDetector()
  // Half of every layer's gammas are small.
  const weights = initialWeights(network, 3)
  for (const [name, { values }] of weights) {
    if (name.endsWith('/gamma')) values.set(values.map((_, i) => (i % 2 ? 0.9 + 0.001 * i : 0.01 * (i + 1))))
  }
  const start = placeModel(runs, '7'.repeat(64), { network, weights })
  const config = trialSchema.parse({
    kind: 'prune',
    data: { hash: dataset.hash },
    start,
    prune: { macs: 0.8, floor: 0.1, cap: 1, multiple: 1 },
  })
  const { folder, metrics } = await run(config)
  const model = loadModel(refTo(config), runs)
  assert.ok(widthOf(model.network, 'stem') < widthOf(network, 'stem'))
  const structure = readStructure(join(folder, 'structure.json'))
  const again = prune(structure.network, weights, structure.plan)
  assert.deepEqual(again.network, model.network)
  assert.deepEqual(again.weights.get('stem/kernel'), model.weights.get('stem/kernel'))
  assert.equal(widthOf(model.network, 'neck/detect1/6'), widthOf(network, 'neck/detect1/6'))
  const share = complexity(model.network).macs / complexity(network).macs
  assert.equal(metrics.pruning?.keptMacs, share)
  assert.ok(share <= 0.8 && share > 0.6, `kept ${share}`)
  assert.equal(metrics.complexity.macs, complexity(model.network).macs)
  const { gammaQuantiles } = metrics.pruning
  assert.deepEqual(
    [...gammaQuantiles].sort((a, b) => a - b),
    gammaQuantiles,
  )
  assert.ok(gammaQuantiles[0]! < 0.2 && gammaQuantiles[4]! > 0.85)
})

describe('a distillation', () => {
  const teacherDetector = tinyDetector({ neck: [10, 6, 6] })
  const student = tinyDetector()
  const place = () => ({
    teacher: placeModel(runs, '8'.repeat(64), {
      network: teacherDetector,
      weights: initialWeights(teacherDetector, 5),
    }),
    start: placeModel(runs, '9'.repeat(64), { network: student, weights: initialWeights(student, 6) }),
  })
  const config = (terms: readonly object[]) =>
    trialSchema.parse({
      kind: 'distill',
      data: { hash: dataset.hash },
      ...place(),
      training: tinyTraining(2),
      terms,
    })
  let byRatio: TrialResult
  before(async () => {
    byRatio = await run(
      config([
        { method: 'output-kd', weight: { ratio: 0.3 } },
        { method: 'feature-mse', weight: 2 },
      ]),
    )
  })

  test('has the requested ratio of gradients, or the requested lambda', () => {
    const [output, feature] = byRatio.metrics.gradients!
    assert.equal(output!.method, 'output-kd')
    assert.ok(Math.abs(output!.ratio - 0.3) < 1e-9)
    assert.ok(Math.abs(output!.lambda * output!.unitRatio - 0.3) < 1e-9)
    assert.ok(output!.lambda > 0 && output!.unitRatio > 0)
    assert.equal(feature!.lambda, 2)
    assert.equal(feature!.ratio, 2 * feature!.unitRatio)
    for (const { cosine } of byRatio.metrics.gradients!) assert.ok(Math.abs(cosine!) <= 1)
  })

  test('gives the same model with the lambda that the ratio gave', async () => {
    const { lambda } = byRatio.metrics.gradients![0]!
    const byNumber = await run(
      config([
        { method: 'output-kd', weight: lambda },
        { method: 'feature-mse', weight: 2 },
      ]),
    )
    assert.equal(byNumber.metrics.weights, byRatio.metrics.weights)
    assert.deepEqual(byNumber.metrics.gradients, byRatio.metrics.gradients)
    assert.notEqual(byNumber.folder, byRatio.folder)
  })

  test('logs every term with its lambda', () => {
    const lines = readFileSync(join(byRatio.folder, 'log.jsonl'), 'utf8').trimEnd().split('\n')
    assert.equal(lines.length, 2)
    for (const line of lines) {
      const row = JSON.parse(line) as { [name: string]: number }
      const terms = ['output-kd', 'feature-mse'].flatMap((method) =>
        [32, 16, 8].map((s) => `${method}/stride${s}`),
      )
      const sum = [...terms, 'box', 'objectness', 'class'].reduce((total, name) => total + row[name]!, 0)
      assert.ok(Math.abs(row.total! - sum) < 1e-5 * row.total!, `${row.total} and ${sum}`)
      assert.ok(terms.every((name) => row[name]! > 0))
    }
  })

  test('leaves the teacher as it was, and exports the student without adapters', () => {
    const { teacher, start } = place()
    assert.equal(hashOf(loadModel(teacher, runs).weights), hashOf(initialWeights(teacherDetector, 5)))
    const model = loadCheckpoint(join(byRatio.folder, 'model.json'))
    assert.deepEqual([...model.weights.keys()], [...initialWeights(student, 6).keys()])
    assert.equal(model.optimizer.size, 0)
    assert.deepEqual(model.network, student)
    assert.notEqual(hashOf(model.weights), hashOf(loadModel(start, runs).weights))
  })

  test("counts the teacher's forward passes", () => {
    const macs = 4 * (3 * complexity(student).macs + complexity(teacherDetector).macs)
    assert.equal(byRatio.metrics.training?.macs, macs)
  })

  test("neither runs nor counts the teacher once its schedule's stop has passed", async () => {
    const terms = [{ method: 'class-kd', weight: 1, schedule: { stop: 1 } }]
    const scheduled = config(terms)
    const folder = folderOf(scheduled)
    const context = { folder, runs, dataset, checkpointEvery: 100, logEvery: 1 }
    const { training } = (await runTrial(scheduled, context)).metrics
    assert.equal(training!.macs, 4 * 3 * complexity(student).macs + 2 * complexity(teacherDetector).macs)
  })
})

describe('folders that are not as they should be', () => {
  /** A trial that needs no training. */
  const evaluation = (hash: string) =>
    trialSchema.parse({
      kind: 'evaluate',
      data: { hash: dataset.hash },
      start: placeModel(runs, hash, { network: tinyDetector(), weights: tinyWeights() }),
      split: 'validation',
      batch: 3,
      precision: 'float32',
    })

  test('config and temporary files without metrics: the trial is done', async () => {
    const config = evaluation('a'.repeat(64))
    const folder = folderOf(config)
    writeConfig(folder, config)
    writeFileSync(join(folder, `metrics.json${deadEnding()}`), '{"format":')
    writeFileSync(join(folder, 'model.json'), 'old')
    assert.equal(readTrial(folder), undefined)
    const { metrics } = await run(config)
    assert.equal(metrics.hash, trialHash(config))
    assert.equal(loadCheckpoint(join(folder, 'model.json')).sha256, metrics.weights)
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith('.tmp')),
      [],
    )
  })

  test('damaged metrics are refused by file and key', async () => {
    const config = evaluation('b'.repeat(64))
    const folder = folderOf(config)
    writeConfig(folder, config)
    const write = (text: string) => writeFileSync(join(folder, 'metrics.json'), text)
    write('{"format": "trial-met')
    await assert.rejects(run(config), /metrics\.json:1: expected JSON/)
    write('{"format": "trial-metrics/1"}')
    await assert.rejects(
      run(config),
      /metrics\.json:\n.*at "hash": expected a text, found nothing\n[\s\S]*remove the folder to redo the trial/,
    )
    const finished = readFileSync(join(folderOf(evaluation('a'.repeat(64))), 'metrics.json'), 'utf8')
    write(finished)
    await assert.rejects(
      run(config),
      /metrics\.json: expected hash [0-9a-f]{64} of its config, found [0-9a-f]{64}/,
    )
  })

  test("another trial's folder is not taken", async () => {
    const [config, other] = [evaluation('c'.repeat(64)), teacherTrial(dataset, 2)]
    const context = { folder: folderOf(other), runs, dataset, checkpointEvery: 1, logEvery: 1 }
    const message = new RegExp(`expected trial ${trialHash(config)}, found ${trialHash(other)} \\(teacher\\)`)
    await assert.rejects(runTrial(config, context), message)
  })

  test('different data are refused', async () => {
    const config = { ...evaluation('d'.repeat(64)), data: { hash: 'other' } } as TrialConfig
    await assert.rejects(run(config), new RegExp(`expected data with hash other, found ${dataset.hash}`))
    assert.ok(!existsSync(folderOf(config)))
  })

  test('a model that no trial has made is named', async () => {
    const config = trialSchema.parse({
      kind: 'finetune',
      data: { hash: dataset.hash },
      start: { trial: 'f'.repeat(64) },
      training: tinyTraining(1),
    })
    await assert.rejects(run(config), /expected a finished trial f{12}, found none; run it first/)
  })

  test('a split without images is named', async () => {
    const config = evaluation('e'.repeat(64))
    const { validation: _, ...splits } = dataset.splits
    const context = {
      folder: folderOf(config),
      runs,
      dataset: { ...dataset, splits },
      checkpointEvery: 1,
      logEvery: 1,
    }
    await assert.rejects(runTrial(config, context), /expected images in split "validation", found none/)
  })
})
