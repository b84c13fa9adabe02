import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FileRequest, prove, readMetadata, writeModel } from '../../lib/deploy'
import { calibrate, planOf } from '../../lib/quantise'
import { loadShipped } from '../../lib/trial'
import { drawn, MODELS, OTHERS, pool } from './models'
import { folder, path, proofData, request, scenes, without } from './support'

const student = loadShipped('default-student')
const teacher = loadShipped('default-teacher')
const [odd, single, many] = Object.values(MODELS)

/** Writes and proves; the metadata must be found again. */
async function proved(model: typeof student, name: string, wanted: FileRequest) {
  const file = path(name)
  const metadata = writeModel(model, file, wanted)
  assert.deepEqual(readMetadata(file), metadata)
  return prove(model, file, wanted, metadata, await proofData())
}

for (const [name, model] of Object.entries({ ...MODELS, ...OTHERS, teacher, student })) {
  test(`TF.js: logits of ${name} on WebAssembly within 1e-4, at batch 1 and 3`, async () => {
    const proof = await proved(model, `${name.replace(/\W/g, '-')}_tfjs`, request('tfjs'))
    assert.ok(proof.maxDifference > 0)
    assert.deepEqual(proof.batches, [1, 3])
  })
}

test('TF.js: boxes and scores of bytes; weights of float16 in half the space, logits within 0.1', async () => {
  const { head } = await proved(odd!, 'bytes_tfjs', request('tfjs', { head: 'decoded', pixels: 'uint8' }))
  assert.ok(head && head.boxes <= 0.01)
  const { maxDifference } = await proved(student, 'half_tfjs', request('tfjs', { precision: 'float16' }))
  assert.ok(maxDifference > 1e-4)
  const size = (name: string) => readFileSync(join(path(name), 'weights.bin')).length
  assert.ok(size('half_tfjs') < 0.51 * size('student_tfjs'))
})

test('TFLite: logits of teacher and student, of odd widths, 1 and 80 classes and of a network in groups, in float32; weights of float16', async () => {
  for (const [i, model] of [teacher, student, odd!, single!, many!, Object.values(OTHERS)[0]!].entries())
    await proved(model, `${i}.tflite`, request('tflite', { batch: 1 }))
  const half = await proved(student, 'half.tflite', request('tflite', { batch: 1, precision: 'float16' }))
  assert.ok(half.maxDifference > 1e-4 && half.maxDifference < 0.1)
})

test('TFLite: two images of bytes at once, decoded; of one class and nearest upsampling', async () => {
  const wanted = request('tflite', { batch: 2, pixels: 'uint8', head: 'decoded' })
  const { head, batches } = await proved(single!, 'bytes.tflite', wanted)
  assert.ok(head && head.boxes <= 0.01 && head.scores <= 1e-4)
  assert.deepEqual(batches, [2])
})

for (const format of ['onnx', 'tflite', 'tfjs'] as const)
  test(
    `${format}: cells beyond the edge are never the largest of a pool's window, in float16 and int8`,
    { skip: format === 'onnx' && without('onnxruntime') },
    async () => {
      const model = pool()
      const batch = format === 'tflite' ? 1 : 'any'
      const name = (precision: string) => `pool-${precision}${format === 'tfjs' ? '_tfjs' : `.${format}`}`
      const half = await proved(model, name('half'), request(format, { batch, precision: 'float16' }))
      assert.ok(half.maxDifference > 1e-4 && half.maxDifference < 0.1, String(half.maxDifference))
      if (format === 'tfjs') return
      const calibration = await calibrate(planOf(model), model.sha256, await scenes(), {
        ...{ cache: folder, frames: 4 },
      })
      const int8 = request(format, { batch, precision: 'int8', calibration })
      const { maxDifference } = await proved(model, name('int8'), int8)
      // All that the maps hold is near -40; zeros from beyond the edge would make tens of this.
      assert.ok(maxDifference < 1, String(maxDifference))
    },
  )

test("SavedModel in Python: 0 apart at batch 1 and 3, its own detections the library's", async () => {
  const plain = await proved(student, 'saved_model', request('saved-model'))
  assert.deepEqual([plain.maxDifference, plain.equalDetections, plain.batches], [0, plain.detections, [1, 3]])
  for (const [i, model] of [odd!, many!].entries()) {
    const wanted = request('saved-model', { head: 'detections' })
    const { head } = await proved(model, `detections_${i}_saved_model`, wanted)
    assert.deepEqual(head, { boxes: 0, scores: 0 })
  }
})

test("Darknet's files of nearest upsampling; a deconvolution has no section", async () => {
  const large = drawn({ classes: 80, neck: [5, 3, 7], input: [192, 512], upsample: 'nearest' })
  for (const [model, name] of [
    [single!, 'net.cfg'],
    [large, 'large.cfg'],
    [OTHERS['YOLOv3-tiny']!, 'tiny.cfg'],
  ] as const) {
    const { maxDifference } = await proved(model, name, request('darknet'))
    assert.ok(maxDifference <= 1e-4)
  }
  assert.ok(existsSync(path('net.weights')) && existsSync(path('net.names')))
  assert.throws(
    () => writeModel(odd!, path('odd.cfg'), request('darknet')),
    /expected a convolution, found a deconvolution, for which .* train with nearest upsampling/,
  )
})

test('what a format cannot be is said', () => {
  const refused = (wanted: FileRequest, message: RegExp) =>
    assert.throws(() => writeModel(odd!, path('refused'), wanted), message)
  refused(
    request('tfjs', { head: 'detections' }),
    /tfjs: expected --head logits or decoded.*found --head detections/,
  )
  refused(request('tflite'), /tflite: expected a number: LiteRT.*found --batch any/)
  refused(request('tfjs', { precision: 'int8' }), /tfjs: expected float32 or float16/)
  refused(request('onnx', { precision: 'int8' }), /int8: expected a calibration, found none/)
  refused(request('onnx', { target: 'openvino' }), /onnx: expected it only of an \.onnx file in int8/)
  refused(request('checkpoint', { pixels: 'uint8' }), /checkpoint: expected logits of float pixels/)
})
