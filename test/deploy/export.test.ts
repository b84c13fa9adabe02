import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { generateScenes } from '../../lib/data'
import { exportModel, formatOf, PROOF_BOUNDS, writeModel } from '../../lib/deploy'
import { instructions } from '../../lib/deploy/instructions'
import { DEPLOY_ENVIRONMENT, tensorFlowPython } from '../../lib/deploy/runtimes'
import { calibrate, planOf } from '../../lib/quantise'
import { loadProfile } from '../../lib/study'
import { loadShipped } from '../../lib/trial'
import { MODELS, modelOf, OTHERS } from './models'
import { folder, path, proofData, python, request, scenes, without } from './support'

const model = Object.values(MODELS)[0]!
const student = loadShipped('default-student')

test('formats by ending, by the name of a folder, or as asked', () => {
  const found = ['a/x.onnx', 'x.tflite', 'x.cfg', 'x.json', 'x_saved_model', 'tfjs/'].map((name) =>
    formatOf(name),
  )
  assert.deepEqual(found, ['onnx', 'tflite', 'darknet', 'checkpoint', 'saved-model', 'tfjs'])
  assert.equal(formatOf('folder', 'tfjs'), 'tfjs')
  assert.throws(
    () => formatOf('folder'),
    /folder: expected a name that ends in \.onnx \(onnx\).*or a folder called/,
  )
  assert.throws(() => formatOf('x.onnx', 'tfjs'), /x\.onnx: .*found another that is asked to be tfjs/)
  assert.throws(() => formatOf('x', 'wrong'), /expected one of checkpoint, darknet/)
})

test('an export leaves the file, its README and nothing else; a second replaces it', async () => {
  const out = join(path('place'), 'net_tfjs')
  for (let time = 0; time < 2; time++) {
    const { files, bytes, proof } = await exportModel(model, out, request('tfjs'), await proofData())
    assert.deepEqual(files, [out])
    assert.ok(bytes > 10_000 && typeof proof !== 'string' && proof.maxDifference <= PROOF_BOUNDS.float32)
  }
  assert.deepEqual(readdirSync(path('place')), ['net_tfjs'])
  assert.deepEqual(readdirSync(out).sort(), ['README.md', 'model.json', 'weights.bin'])
})

test('a file that misses its bound is not left, nor what it was to replace touched', async () => {
  // Of large weights in the last convolutions float16 moves the logits by more than a tenth.
  const loud = modelOf(
    model.network,
    new Map(
      [...model.weights].map(([name, { shape, values }]) => [
        name,
        { shape, values: /output\/kernel/.test(name) ? values.map((value) => 1000 * value) : values },
      ]),
    ),
  )
  const out = join(path('bounds'), 'loud_tfjs')
  await exportModel(loud, out, { ...request('tfjs'), precision: 'float32' }, await proofData()).catch(
    () => undefined,
  )
  mkdirSync(out, { recursive: true })
  const before = readdirSync(out)
  await assert.rejects(
    exportModel(loud, out, request('tfjs', { precision: 'float16' }), await proofData()),
    /loud_tfjs: in TF\.js \(WebAssembly\) 4\.22\.0 expected logits within 0\.1 of the library's, found a difference of/,
  )
  assert.deepEqual([readdirSync(path('bounds')), readdirSync(out)], [['loud_tfjs'], before])
  const other = path('other')
  mkdirSync(other)
  writeFileSync(join(other, 'mine.txt'), '')
  await assert.rejects(
    exportModel(model, other, request('tfjs'), await proofData()),
    /other: expected a new folder, or one of an earlier export/,
  )
})

test(
  'int8 keeps the student within a point of COCO AP, in each pattern',
  { skip: without('openvino') },
  async () => {
    const { data } = loadProfile('default')
    const dataset = await generateScenes(path('default'), {
      ...data,
      splits: { train: 32, validation: 150, test: 1 },
    })
    const images = { samples: dataset.splits.validation!, classes: dataset.classes }
    const calibration = await calibrate(planOf(student), student.sha256, dataset, {
      ...{ cache: folder, frames: 32 },
    })
    const again = await calibrate(planOf(student), student.sha256, dataset, {
      ...{ cache: folder, frames: 32 },
    })
    assert.deepEqual(again, calibration)
    const int8 = { precision: 'int8', calibration } as const
    for (const wanted of [
      request('onnx', { ...int8, target: 'onnxruntime' }),
      request('onnx', { ...int8, target: 'openvino' }),
      request('tflite', { ...int8, batch: 1 }),
    ]) {
      const out = path(`int8-${wanted.target ?? ''}.${wanted.format}`)
      const { proof, bytes, metadata } = await exportModel(student, out, wanted, images)
      assert.ok(typeof proof !== 'string' && proof.ap)
      assert.ok(proof.ap.library > 0.3 && proof.ap.library - proof.ap.file <= PROOF_BOUNDS.ap)
      assert.ok(bytes < 1.1e6)
      assert.equal(metadata.calibration, calibration.sha256)
    }
  },
)

/** The code of a language in a README. */
const codeOf = (readme: string, language: string): string =>
  new RegExp(`\`\`\`${language}\\n([^]*?)\n\`\`\``).exec(readFileSync(readme, 'utf8'))![1]!

const picture = () => sharp({ create: { width: 60, height: 40, channels: 3, background: '#48c' } }).jpeg()

test("the README's Python runs: ONNX, TFLite", { skip: without('onnxruntime') }, async () => {
  await picture().toFile(path('picture.jpg'))
  for (const [name, wanted] of [
    ['readme.onnx', request('onnx')],
    ['bytes.onnx', request('onnx', { pixels: 'uint8', head: 'detections' })],
    ['pair.onnx', request('onnx', { batch: 2 })],
    ['readme.tflite', request('tflite', { batch: 1 })],
    ['pair.tflite', request('tflite', { batch: 2, pixels: 'uint8' })],
  ] as const) {
    await exportModel(model, path(name), wanted, await proofData())
    const printed = python('-c', codeOf(path(`${name}.README.md`), 'python'))
    const images = wanted.batch === 2 ? 2 : 1
    assert.match(
      printed,
      wanted.head === 'logits' ? new RegExp(`logits32 \\(${images}, `) : /boxes \(1, 100, 4\)/,
    )
  }
})

test("a file's README has its name and the classes' as they are, whatever they hold; OpenCV 5 is not asked to read Darknet's files", () => {
  const tiny = OTHERS['YOLOv3-tiny']!
  const named = { ...tiny, classes: ['a|b', 'pedestrian <sitting>'] }
  const name = "it's a “net”.cfg"
  const metadata = writeModel(named, path(name), request('darknet'))
  const text = instructions(name, 'darknet', metadata)
  const [classes] = text.split('\n').filter((line) => line.startsWith('| classes'))
  assert.equal(classes, '| classes | 0 a&#124;b, 1 pedestrian &#60;sitting&#62; |')
  assert.ok(text.includes(`readNetFromDarknet("it's a “net”.cfg", "it's a “net”.weights")`))
  assert.match(text, /pip install "opencv-python-headless<5"/)
})

/** An int8 file for OpenVINO, and its README. */
async function openvinoFile(name: string): Promise<void> {
  const calibration = await calibrate(planOf(model), model.sha256, await scenes(), {
    cache: folder,
    frames: 2,
  })
  const metadata = writeModel(
    model,
    path(name),
    request('onnx', { precision: 'int8', calibration, target: 'openvino' }),
  )
  writeFileSync(path(`${name}.README.md`), instructions(name, 'onnx', metadata))
}

test("the README's Python of a file for OpenVINO runs there", { skip: without('openvino') }, async () => {
  await picture().toFile(path('picture.jpg'))
  await openvinoFile('vino.onnx')
  assert.match(python('-c', codeOf(path('vino.onnx.README.md'), 'python')), /logits32 \(1, /)
})

/** Compiles and runs a README's C++; fails where it does not end with 0. */
function runCpp(name: string, readme: string, words: readonly string[], libraries: string): void {
  const source = path(`${name}.cpp`)
  writeFileSync(source, codeOf(readme, 'cpp'))
  execFileSync('g++', ['-std=c++17', '-Wall', source, '-o', path(`${name}.out`), ...words], { stdio: 'pipe' })
  const env = { ...process.env, LD_LIBRARY_PATH: libraries, TF_CPP_MIN_LOG_LEVEL: '2' }
  execFileSync(path(`${name}.out`), { cwd: folder, stdio: 'pipe', env })
}

/** The folder of a Python package; none where it is not there. */
function packageFolder(program: string, name: string): string | undefined {
  const found = spawnSync(
    program,
    ['-c', `import importlib.util as u; print(u.find_spec('${name}').origin)`],
    {
      encoding: 'utf8',
    },
  )
  return found.status === 0 ? dirname(found.stdout.trim()) : undefined
}

const compiler = spawnSync('g++', ['--version']).status === 0 ? false : 'expected g++, found none'

test(
  "the README's C++ of a SavedModel compiles and runs with TensorFlow's C library",
  { skip: compiler },
  async () => {
    await exportModel(model, path('c_saved_model'), request('saved-model'), await proofData())
    const tensorflow = packageFolder(tensorFlowPython(), 'tensorflow')!
    const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'].map((file) =>
      join(tensorflow, file),
    )
    const words = [`-I${join(tensorflow, 'include')}`, ...libraries]
    runCpp('tensorflow', join(path('c_saved_model'), 'README.md'), words, tensorflow)
  },
)

test(
  "the README's C++ of a file for OpenVINO compiles and runs there",
  { skip: compiler || without('openvino') },
  async () => {
    await openvinoFile('cpp.onnx')
    const openvino = packageFolder(join(DEPLOY_ENVIRONMENT, 'bin/python'), 'openvino')!
    const libraries = join(openvino, 'libs')
    const library = readdirSync(libraries).find((file) => /^libopenvino\.so/.test(file))!
    runCpp(
      'openvino',
      path('cpp.onnx.README.md'),
      [`-I${join(openvino, 'include')}`, join(libraries, library)],
      libraries,
    )
  },
)

/** Debian's libopencv-dnn-dev and libopencv-imgcodecs-dev. */
const OPENCV = '/usr/include/opencv4'
const opencv =
  existsSync(join(OPENCV, 'opencv2/dnn.hpp')) && existsSync(join(OPENCV, 'opencv2/imgcodecs.hpp'))
    ? false
    : `OpenCV's headers are not installed in ${OPENCV}`

test(
  "the README's C++ of Darknet's files compiles and runs with OpenCV",
  { skip: compiler || opencv },
  async () => {
    await picture().toFile(path('picture.jpg'))
    const tiny = OTHERS['YOLOv3-tiny']!
    await exportModel(tiny, path('cpp.cfg'), request('darknet'), await proofData())
    const libraries = ['-lopencv_dnn', '-lopencv_imgcodecs', '-lopencv_core']
    runCpp('opencv', path('cpp.cfg.README.md'), [`-I${OPENCV}`, ...libraries], '')
  },
)

test("the README's JavaScript runs: TF.js, SavedModel; and its Python of a SavedModel", async () => {
  await picture().toFile(path('picture.jpg'))
  if (!existsSync(path('node_modules')))
    symlinkSync(join(__dirname, '../../node_modules'), path('node_modules'))
  for (const [name, wanted] of [
    ['readme_tfjs', request('tfjs')],
    ['readme_saved_model', request('saved-model')],
  ] as const) {
    await exportModel(model, path(name), wanted, await proofData())
    writeFileSync(path(`${name}.mjs`), codeOf(join(path(name), 'README.md'), 'js'))
    const printed = execFileSync(process.execPath, [path(`${name}.mjs`)], { cwd: folder, encoding: 'utf8' })
    assert.match(printed, /logits32 \[ 1, 2, 3, 24 \]/)
  }
  const code = codeOf(join(path('readme_saved_model'), 'README.md'), 'python').replace(/^from PIL.*/m, '')
  // Pillow is no part of the environment: a picture of its pixels.
  const pixels = code.replace(/^picture = .*$/m, 'picture = np.zeros((64, 96, 3), np.uint8)')
  assert.match(
    execFileSync(tensorFlowPython(), ['-c', pixels], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }),
    /logits32 \(1, 2, 3, 24\)/,
  )
})
