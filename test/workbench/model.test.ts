import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeSealed } from '../../lib/base'
import { Detector, headsOf, initialWeights, readDarknet } from '../../lib/detector'
import { tf } from '../../lib/engine'
import { loadCheckpoint, saveCheckpoint } from '../../lib/train'
import { exportCommand } from '../../lib/workbench/commands/export'
import { modelCommand } from '../../lib/workbench/commands/model'
import { narrowConfig, narrowDetector } from '../detector/support'
import { assertClose } from '../losses/support'

const folder = mkdtempSync(join(tmpdir(), 'model-'))
after(() => rmSync(folder, { recursive: true }))
const path = (name: string) => join(folder, name)

const network = narrowDetector({ upsample: 'nearest', classes: 2 })
saveCheckpoint(path('training.json'), {
  network,
  classes: ['car', 'bus'],
  step: 3,
  training: {
    ...{ steps: 10, batch: 2, random: { seed: 1, step: 3 }, seconds: 1, last: {} },
    schedule: { kind: 'cosine', rate: 0.01, final: 0.01 },
    warmUp: { steps: 0, from: 0.1 },
    sgd: { momentum: 0.9, weightDecay: 5e-4, clip: 35 },
  },
  weights: initialWeights(network, 1),
  optimizer: new Map([
    ['momentum/stem/gamma', { shape: [4], values: new Float32Array(4) }],
    ['extra/adapter1/kernel', { shape: [1], values: new Float32Array(1) }],
  ]),
  provenance: { trial: 'abc' },
})

type Context = { mock: typeof import('node:test').mock }

/** What a command prints: model, or export where it is the first word. */
async function run(t: Context, ...words: string[]): Promise<string> {
  const lines: string[] = []
  const { mock } = t.mock.method(console, 'log', (line: string) => void lines.push(line))
  try {
    const command = words[0] === 'export' ? exportCommand() : modelCommand()
    await command.parseAsync(words[0] === 'export' ? words.slice(1) : words, { from: 'user' })
  } finally {
    mock.restore()
  }
  return lines.join('\n')
}

test('show: drawing, table and content of the checkpoint; the published networks by name', async (t) => {
  const shown = await run(t, 'show', path('training.json'), '--svg', path('net.svg'))
  assert.match(shown, /^image 64x96x3\n/)
  assert.match(
    shown,
    /classes: car, bus\nstep 3 of 10, 2 optimizer tensors\nSHA-256 of the numbers: [0-9a-f]{64}/,
  )
  assert.match(shown, /trial: 'abc'/)
  assert.match(readFileSync(path('net.svg'), 'utf8'), /^<svg/)
  assert.match(await run(t, 'show', 'student'), /MACs .*3,909,417,216 = 3\.909 G/)
})

test('export: the model alone, as a checkpoint that is smaller by the optimizer', async (t) => {
  const said = await run(t, 'export', path('training.json'), path('model.json'), '--profile', 'smoke')
  assert.match(
    said,
    /model\.json: [\d.]+ MB\nRun in this library .* logits differ by at most 0\.00 \(allowed 0\)/,
  )
  const { optimizer, training, weights, classes, network: found } = loadCheckpoint(path('model.json'))
  assert.deepEqual([optimizer.size, training, classes, found], [0, undefined, ['car', 'bus'], network])
  assert.deepEqual(weights, loadCheckpoint(path('training.json')).weights)
  const [numbers] = readdirSync(folder).filter((name) => /^model\..*safetensors$/.test(name))
  const header = readFileSync(path(numbers!)).toString('latin1')
  assert.ok(!/optimizer|momentum|adapter|extra/.test(header))
})

test("export to Darknet's files and import of them give the same network", async (t) => {
  await run(t, 'export', path('training.json'), path('net.cfg'), '--profile', 'smoke')
  const files = [path('net.cfg'), path('net.weights')] as const
  await run(t, 'import', ...files, path('back.json'), '--classes', path('net.names'))
  const [back, start] = ['back.json', 'training.json'].map((name) => loadCheckpoint(path(name)))
  assert.deepEqual([headsOf(back!.network), back!.classes], [headsOf(start!.network), start!.classes])
  assert.deepEqual(readDarknet(...files).network, back!.network)
  const [one, other] = [start!, back!].map((model) => new Detector(model.network, model.weights))
  const image = tf.randomUniform([1, 64, 96, 3], 0, 1, 'float32', 1) as tf.Tensor4D
  const flat = (maps: readonly tf.Tensor[]) => maps.flatMap((map) => [...map.dataSync()])
  const [own, theirs] = [one!, other!].map((detector) =>
    flat(detector.forward(image, { training: false }).outputs),
  )
  assertClose(theirs!, own!, 'logits')
  one!.dispose()
  other!.dispose()
})

test('convert: a checkpoint of an earlier version says its network anew, with the same numbers', async (t) => {
  const { document: _, network: __, ...rest } = JSON.parse(readFileSync(path('training.json'), 'utf8'))
  const detector = narrowConfig({ upsample: 'nearest', classes: 2 })
  const { training: ___, ...old } = { ...rest, detector, format: 'detector-checkpoint/1' }
  writeSealed(path('old.json'), old)
  const before = loadCheckpoint(path('old.json'))
  await run(t, 'convert', path('old.json'))
  assert.equal(JSON.parse(readFileSync(path('old.json'), 'utf8')).format, 'detector-checkpoint/3')
  assert.deepEqual(loadCheckpoint(path('old.json')), before)
})

test('a mismatch is an error', async (t) => {
  await assert.rejects(
    run(t, 'export', path('training.json'), path('training.json')),
    /training\.json: expected another file than/,
  )
  await assert.rejects(
    run(t, 'export', path('training.json'), path('model.pt')),
    /model\.pt: expected a name that ends in \.onnx \(onnx\), \.tflite/,
  )
  writeFileSync(path('one.names'), 'car\n')
  await assert.rejects(
    run(t, 'import', path('net.cfg'), path('net.weights'), path('x.json'), '--classes', path('one.names')),
    /one\.names: expected the names of 2 classes as in .*net\.cfg, found 1/,
  )
  await assert.rejects(run(t, 'show', path('nowhere.json')), /nowhere\.json/)
})
