import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import {
  encodeWeights,
  headsOf,
  initialWeights,
  logitLayers,
  type NetworkSpec,
  networkCfg,
  toDarknet,
  type Weights,
  yolov3Tiny,
} from '../../lib/detector'
import { saveCheckpoint } from '../../lib/train'
import {
  describeRef,
  givenFiles,
  loadModel,
  readGiven,
  runTrial,
  storeGiven,
  type TrialConfig,
  trialFolder,
  trialSchema,
} from '../../lib/trial'
import { tinyTraining } from '../study/tiny'
import { temporary, tinyDetector, tinyScenes, tinyWeights } from '../train/tiny'

const network = yolov3Tiny({ input: [64, 96], classes: 3, multiplier: 1 / 16 })
const weights = initialWeights(network, 4)
const options = { classes: ['car', 'bus', 'bike'], seed: 9 }

/** A cfg, and weights of the first `convolutions` layers. */
function darknetFiles(of: NetworkSpec, values: Weights, convolutions?: number) {
  const folder = temporary()
  const [cfg, file] = [join(folder, 'own.cfg'), join(folder, 'own.weights')]
  writeFileSync(cfg, networkCfg(of))
  const whole = toDarknet(of, values).weights
  writeFileSync(file, encodeWeights({ ...whole, convolutions: whole.convolutions.slice(0, convolutions) }))
  return { folder, cfg, file }
}

const valuesOf = (all: Weights, name: string) => [...all.get(name)!.values]
const near = (found: readonly number[], expected: readonly number[], name: string) => {
  assert.equal(found.length, expected.length, name)
  // Darknet's batch norm has another epsilon, so scales are written in other digits.
  found.forEach((value, i) => {
    assert.ok(
      Math.abs(value - expected[i]!) <= 1e-6 * Math.max(1, Math.abs(expected[i]!)),
      `${name}: ${value}`,
    )
  })
}

describe('a model of one’s own', () => {
  test('without names is taken to have the data’s classes in order, if it has as many, and says so', async () => {
    const { cfg, file } = darknetFiles(network, weights)
    const model = await readGiven([cfg, file], '--teacher', options)
    assert.deepEqual([model.name, model.trained], ['own', true])
    assert.match(
      model.notes.join(),
      /own\.cfg: its class names are not known; .* in this order: car, bus, bike\./,
    )
    for (const [name] of weights) near(valuesOf(model.weights, name), valuesOf(weights, name), name)
  })

  test('with names is mapped by name, from the file beside its cfg or one that is given', async () => {
    const { folder, cfg, file } = darknetFiles(network, weights)
    writeFileSync(join(folder, 'own.names'), 'bike\ncar\nbus\n')
    const model = await readGiven([cfg, file], '--teacher', options)
    assert.match(model.notes.join(), /taken by name: car, bus, bike, of bike, car, bus\./)
    const [layer] = logitLayers(network)
    const bias = valuesOf(weights, `${layer}/bias`)
    near(
      valuesOf(model.weights, `${layer}/bias`).slice(0, 8),
      [...bias.slice(0, 5), bias[6]!, bias[7]!, bias[5]!],
      'bias',
    )
    const others = join(folder, 'others.names')
    writeFileSync(others, 'car\nbus\nbike\n')
    assert.deepEqual((await readGiven([cfg, file, others], '--teacher', options)).notes, [])
    const fewer = await readGiven([cfg, file], '--teacher', { ...options, classes: ['bus'] })
    assert.equal(headsOf(fewer.network).classes, 1)
    assert.equal(fewer.trained, true)
  })

  test('whose names do not fit is refused with both lists, unless its heads are to be new', async () => {
    const { folder, cfg, file } = darknetFiles(network, weights)
    writeFileSync(join(folder, 'own.names'), 'bike\ncar\nvan\n')
    await assert.rejects(
      readGiven([cfg, file], '--teacher', options),
      /--teacher .*own\.cfg: .* found no bus; the data's: car, bus, bike; the model's: bike, car, van; .*--new-heads/,
    )
    const model = await readGiven([cfg, file], '--teacher', { ...options, newHeads: true })
    assert.equal(model.trained, false)
    assert.match(
      model.notes.join(),
      /its heads \(conv15, conv22\) are made anew for 3 classes, since as asked for/,
    )
    writeFileSync(join(folder, 'own.names'), 'bike\n')
    await assert.rejects(
      readGiven([cfg, file], '--teacher', options),
      /names of its 3 classes, found 1: bike/,
    )
  })

  test('of another number of unnamed classes gets new heads, and keeps the rest', async () => {
    const { cfg, file } = darknetFiles(network, weights)
    const two = { ...options, classes: ['car', 'bus'] }
    const model = await readGiven([cfg, file], '--teacher', two)
    assert.match(
      model.notes.join(),
      /made anew for 2 classes, since it has 3 classes without names, the data 2/,
    )
    assert.deepEqual([model.trained, headsOf(model.network).classes], [false, 2])
    near(valuesOf(model.weights, 'conv0/kernel'), valuesOf(weights, 'conv0/kernel'), 'conv0/kernel')
    const fresh = initialWeights(model.network, two.seed)
    assert.deepEqual(valuesOf(model.weights, 'conv15/kernel'), valuesOf(fresh, 'conv15/kernel'))
  })

  test('whose weights end early starts a training, with new weights for what they do not reach', async () => {
    const { cfg, file } = darknetFiles(network, weights, 6)
    const model = await readGiven([cfg, file], '--teacher', options)
    assert.equal(model.trained, false)
    assert.match(
      model.notes.join(' '),
      /5 layers besides have new weights: .* made anew .* its weights do not reach them/,
    )
    near(valuesOf(model.weights, 'conv10/kernel'), valuesOf(weights, 'conv10/kernel'), 'conv10/kernel')
    const fresh = initialWeights(network, options.seed)
    assert.deepEqual(valuesOf(model.weights, 'conv12/kernel'), valuesOf(fresh, 'conv12/kernel'))
  })

  test('of new weights takes its teacher’s anchors at the strides that it has', async () => {
    const { cfg } = darknetFiles(network, weights)
    const teacher = tinyDetector({ classes: 3 })
    const model = await readGiven([cfg], '--student', { ...options, teacher })
    assert.deepEqual(headsOf(model.network).anchors, headsOf(teacher).anchors.slice(0, 2))
    assert.match(
      model.notes.join(' '),
      /at stride 32, 16 its new heads take the teacher's anchors and scale_x_y/,
    )
  })

  test('is a checkpoint, or a cfg with or without weights; else the files are named', () => {
    const { folder, cfg, file } = darknetFiles(network, weights)
    const refused = (files: string[]) => () => givenFiles(files, '--student')
    assert.throws(refused([join(folder, 'no.cfg')]), /--student .*no\.cfg: expected .* found nothing/)
    assert.throws(
      refused([file]),
      /--student: expected a checkpoint \(\.json\), or a \.cfg .* found .*own\.weights/,
    )
    assert.throws(refused([cfg, file, file]), /found .*own\.cfg .*own\.weights .*own\.weights/)
    assert.deepEqual(givenFiles([file, cfg], ''), {
      checkpoint: undefined,
      cfg,
      weights: file,
      names: undefined,
    })
  })
})

test('the copy in the folder of the trials is loaded by hash, and refused when it is another model', async () => {
  const { cfg, file } = darknetFiles(network, weights)
  const runs = temporary()
  const model = await readGiven([cfg, file], '--teacher', options)
  const ref = storeGiven(model, options.classes, runs)
  assert.deepEqual(storeGiven(model, options.classes, runs), ref)
  assert.equal(describeRef(ref), 'the given own')
  const loaded = loadModel(ref, runs)
  assert.deepEqual(loaded.classes, options.classes)
  assert.deepEqual(loaded.network, JSON.parse(JSON.stringify(model.network)))
  const other = storeGiven({ ...model, weights: initialWeights(network, 5) }, options.classes, runs)
  assert.notDeepEqual(other, ref)
  assert.throws(() => loadModel(ref, temporary()), /expected the copy of the given model own, found none/)
  const [first, second] = readdirSync(join(runs, 'given')).filter((name) => name.endsWith('.json'))
  writeFileSync(join(runs, 'given', first!), readFileSync(join(runs, 'given', second!)))
  const broken = 'sha256' in ref && first!.includes(ref.sha256.slice(0, 12)) ? ref : other
  assert.throws(() => loadModel(broken, runs), /expected a model of SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}/)
})

describe('a given teacher and another network as its student', () => {
  let dataset: Dataset
  before(async () => {
    dataset = await tinyScenes(temporary())
  })

  test('are measured, trained and distilled by outputs of the shared scales and by named features', async () => {
    const runs = temporary()
    // The teacher's classes stand in another order than the data's.
    const classes = [...dataset.classes].reverse()
    const own = join(temporary(), 'teacher.json')
    const saved = { network: tinyDetector(), weights: tinyWeights(), optimizer: new Map(), step: 0 }
    saveCheckpoint(own, { ...saved, classes, provenance: {} })
    const teacher = await readGiven([own], '--teacher', { classes: dataset.classes, seed: 1 })
    assert.equal(teacher.trained, true)
    const { cfg } = darknetFiles(network, weights)
    const student = await readGiven([cfg], '--student', {
      classes: dataset.classes,
      seed: 1,
      teacher: teacher.network,
    })
    const [teacherRef, studentRef] = [teacher, student].map((model) =>
      storeGiven(model, dataset.classes, runs),
    )
    const common = { data: { hash: dataset.hash }, training: tinyTraining(2) }
    const run = async (config: object) => {
      const trial: TrialConfig = trialSchema.parse(config)
      const folder = join(runs, trialFolder(trial))
      return runTrial(trial, { folder, runs, dataset, checkpointEvery: 100, logEvery: 1 })
    }
    const { metrics } = await run({
      ...{ kind: 'evaluate', data: common.data, start: teacherRef, split: 'validation' },
      ...{ batch: 2, precision: 'float32' },
    })
    assert.equal(metrics.evaluation.images, 3)
    const trained = await run({ kind: 'teacher', ...common, start: studentRef })
    assert.equal(trained.metrics.training!.steps, 2)
    const distilled = await run({
      ...{ kind: 'distill', ...common, start: studentRef, teacher: teacherRef },
      terms: [
        { method: 'output-kd', weight: { ratio: 0.3 }, scales: 'shared' },
        { method: 'feature-mse', weight: 1, features: ['C5', ['C4', 'C5']] },
      ],
    })
    const { last } = distilled.metrics.training!
    assert.deepEqual(
      Object.keys(last).filter((name) => name.includes('/')),
      ['output-kd/stride32', 'output-kd/stride16', 'feature-mse/C5', 'feature-mse/C4-C5'],
    )
    assert.ok(Object.values(last).every(Number.isFinite))
    await assert.rejects(
      run({
        ...{ kind: 'distill', ...common, start: studentRef, teacher: teacherRef },
        terms: [{ method: 'class-kd', weight: 1 }],
      }),
      /class-kd: expected outputs of the same strides, .* stride 8, which only the teacher has/,
    )
  })
})
