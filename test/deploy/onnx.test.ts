import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { HEADS, prove, type RuntimeName, readMetadata, writeModel } from '../../lib/deploy'
import { onnxMetadata } from '../../lib/deploy/onnx'
import { bytes, bytesFields, integer, message, packed } from '../../lib/deploy/onnx/wire'
import { headsOf } from '../../lib/detector'
import { calibrate, planOf } from '../../lib/quantise'
import { loadShipped } from '../../lib/trial'
import { MODELS, OTHERS } from './models'
import { folder, path, proofData, python, request, scenes, without } from './support'

const SHIPPED = Object.fromEntries(
  ['default-teacher', 'default-student'].map((name) => [name, loadShipped(name)]),
)

const ALL = { ...MODELS, ...OTHERS, ...SHIPPED }

for (const runtime of ['onnxruntime', 'openvino', 'opencv'] satisfies RuntimeName[]) {
  for (const [name, model] of Object.entries(ALL)) {
    test(
      `${runtime}: logits of ${name} within 1e-4, at batch 1 and 3`,
      { skip: without(runtime) },
      async () => {
        const wanted = request('onnx')
        const file = path(`${runtime}-${Object.keys(ALL).indexOf(name)}.onnx`)
        const proof = await prove(model, file, wanted, writeModel(model, file, wanted), await proofData(), {
          runtime,
        })
        assert.ok(proof.maxDifference <= 1e-4, String(proof.maxDifference))
        assert.deepEqual(proof.batches, [1, 3])
      },
    )
  }
}

for (const head of HEADS.filter((other) => other !== 'logits')) {
  for (const [name, model] of Object.entries(MODELS)) {
    test(
      `ONNX Runtime: ${head} of ${name}, of bytes, are those of its logits`,
      { skip: without('onnxruntime') },
      async () => {
        const wanted = request('onnx', { head, pixels: 'uint8' })
        const file = path(`${head}-${Object.keys(MODELS).indexOf(name)}.onnx`)
        const { head: difference } = await prove(
          model,
          file,
          wanted,
          writeModel(model, file, wanted),
          await proofData(),
        )
        assert.ok(difference && difference.boxes <= 0.01 && difference.scores <= 1e-4)
      },
    )
  }
}

test(
  'float16 is within 0.1 for every network, a fixed batch within 1e-4',
  { skip: without('onnxruntime') },
  async () => {
    const student = SHIPPED['default-student']!
    const half = { precision: 'float16', head: 'decoded' } as const
    for (const [i, [model, options]] of [
      ...Object.values(ALL).map((model) => [model, half] as const),
      [student, { batch: 2 }] as const,
    ].entries()) {
      const wanted = request('onnx', options)
      const file = path(`half-${i}.onnx`)
      const proof = await prove(model, file, wanted, writeModel(model, file, wanted), await proofData())
      assert.deepEqual(proof.batches, 'batch' in options ? [2] : [1, 3])
    }
  },
)

test(
  "onnx.checker passes every form, int8's three patterns among them",
  { skip: without('onnxruntime') },
  async () => {
    const dataset = await scenes()
    const files: string[] = []
    for (const model of Object.values({ ...MODELS, ...OTHERS })) {
      const calibration = await calibrate(planOf(model), model.sha256, dataset, {
        ...{ cache: folder, frames: 2 },
      })
      const forms = [
        ...HEADS.map((head) => ({ head, pixels: 'uint8' as const })),
        { precision: 'float16' as const, batch: 1 },
        ...(['onnxruntime', 'openvino', 'tensorrt'] as const).map((target) => ({
          ...{ precision: 'int8' as const, calibration, target, int8Head: target === 'openvino' },
        })),
      ]
      for (const form of forms) {
        const file = path(`checked-${files.length}.onnx`)
        writeModel(model, file, request('onnx', form))
        files.push(file)
      }
    }
    const printed = python(join(__dirname, 'check.py'), ...files)
    assert.equal(printed.trim().split('\n').length, files.length)
  },
)

test('a file says what it is, to this library and to others', { skip: without('onnxruntime') }, () => {
  const model = MODELS['1 class, nearest, 96x256']!
  const file = path('about.onnx')
  const written = writeModel(model, file, request('onnx', { head: 'decoded' }))
  assert.deepEqual(readMetadata(file), written)
  const { classes, anchors, input, checkpoint } = written
  assert.deepEqual(
    [classes, anchors, input, checkpoint],
    [['class0'], headsOf(model.network).anchors, [96, 256], model.sha256],
  )
  const code = `import onnxruntime, sys
for key, value in sorted(onnxruntime.InferenceSession(sys.argv[1]).get_modelmeta().custom_metadata_map.items()):
    print(key, value)`
  const texts = [...onnxMetadata(readFileSync(file))].sort().map(([key, value]) => `${key} ${value}`)
  assert.deepEqual(python('-c', code, file).trim().split('\n'), texts)
})

test('wire format: varints, negative numbers in ten bytes, fields that are skipped', () => {
  // From the encoding's own documentation: field 1 as 150 is 08 96 01, field 2 as "testing" 12 07 ...
  assert.deepEqual([...message(integer(1, 150))], [0x08, 0x96, 0x01])
  assert.deepEqual([...message(bytes(2, 'testing'))], [0x12, 7, ...Buffer.from('testing')])
  assert.deepEqual([...message(packed(6, [3, 270, 86942]))], [0x32, 6, 3, 0x8e, 2, 0x9e, 0xa7, 5])
  assert.deepEqual([...message(integer(1, -1))], [8, ...Array(9).fill(255), 1])
  const content = message(integer(1, 150), bytes(2, 'a'), bytes(300, 'b'))
  assert.deepEqual(
    [...bytesFields(content)].map(({ field, value }) => [field, Buffer.from(value).toString()]),
    [
      [2, 'a'],
      [300, 'b'],
    ],
  )
  assert.throws(() => [...bytesFields(content.subarray(0, content.length - 1))], /ends within a field/)
})
