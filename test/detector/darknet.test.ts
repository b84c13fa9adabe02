import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  convolutionsOf,
  countNumbers,
  DarknetNetwork,
  Detector,
  decodeWeights,
  decodingOf,
  detect,
  detectorCfg,
  encodeWeights,
  fromDarknet,
  parseCfg,
  publishedDetector,
  readDarknet,
  toDarknet,
  yolov3Cfg,
  yolov3SppCfg,
  yolov3TinyCfg,
} from '../../lib/detector'
import { compile, tf } from '../../lib/engine'
import { assertClose, unpack } from '../losses/support'
import { darknetCase, NAMES } from './darknet-cases'
import { Lcg } from './lcg'
import oracle from './oracle/darknet.json'
import { drawnWeights, narrowDetector } from './support'

const flat = (tensors: readonly tf.Tensor[]) => tensors.flatMap((tensor) => [...tensor.dataSync()])

for (const name of NAMES) {
  test(`${name}: logits agree with OpenCV's reader of the same files`, () => {
    const expected = oracle.find((entry) => entry.name === name)!
    const files = darknetCase(name)
    const digest = createHash('sha256').update(files.cfg).update(files.weights).digest('hex')
    assert.equal(digest, expected.sha256, 'the files changed: run oracle/darknet.py again')
    const cfg = parseCfg(files.cfg)
    const network = new DarknetNetwork(cfg, decodeWeights(files.weights, cfg))
    const outputs = network.forward(tf.tensor4d(files.image, [1, ...files.size, 3]))
    assert.deepEqual(
      outputs.map((output) => output.shape),
      expected.shapes,
    )
    assertClose(flat(outputs), unpack(expected.logits), 'logits', 1e-5)
    network.dispose()
  })
}

test('a weights file is the same to the byte after reading and writing', () => {
  for (const name of NAMES) {
    const { cfg, weights } = darknetCase(name)
    assert.deepEqual(encodeWeights(decodeWeights(weights, parseCfg(cfg))), weights)
  }
})

test('headers: version, images seen in 64 bits from version 0.2 on and in 32 before', () => {
  const cfg = parseCfg('[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=1\nsize=1\nactivation=linear\n')
  const convolutions = [{ biases: Float32Array.of(1), kernel: Float32Array.of(2, 3, 4) }]
  const recent = encodeWeights({ version: [0, 2, 5], seen: 2n ** 40n + 7n, convolutions })
  const early = encodeWeights({ version: [0, 1, 0], seen: 7n, convolutions })
  // int32 0, 2, 5; int64; then bias and kernel.
  const wide = Buffer.alloc(20 + 16)
  wide.writeInt32LE(2, 4)
  wide.writeInt32LE(5, 8)
  wide.writeBigInt64LE(2n ** 40n + 7n, 12)
  for (const [i, value] of [1, 2, 3, 4].entries()) wide.writeFloatLE(value, 20 + 4 * i)
  assert.deepEqual(Buffer.from(recent), wide)
  assert.equal(early.length, 16 + 16)
  assert.deepEqual(decodeWeights(recent, cfg), { version: [0, 2, 5], seen: 2n ** 40n + 7n, convolutions })
  assert.deepEqual(decodeWeights(early, cfg), { version: [0, 1, 0], seen: 7n, convolutions })
})

test('a number of images that does not fit into the header is refused', () => {
  const encode = (version: [number, number, number], seen: bigint) => () =>
    encodeWeights({ version, seen, convolutions: [] })
  assert.equal(encode([0, 1, 0], 2n ** 32n - 1n)().length, 16)
  assert.throws(
    encode([0, 1, 0], 2n ** 32n),
    /images seen: expected 32 bits in version 0\.1 of the file, found 4294967296/,
  )
  assert.throws(encode([0, 2, 0], -1n), /expected 64 bits/)
})

test('weights that do not fit the cfg are refused with layer and numbers', () => {
  const { cfg: text, weights } = darknetCase('yolov3-tiny')
  const cfg = parseCfg(text, 'tiny.cfg')
  const decode = (bytes: Uint8Array) => () => decodeWeights(bytes, cfg, 'tiny.weights')
  const total = countNumbers(cfg)
  assert.equal(weights.length, 20 + 4 * total)
  const last = convolutionsOf(cfg).at(-1)!
  assert.deepEqual([last.index, last.layer.in, last.layer.filters], [22, 16, 21])
  const plain = (value: number) => value.toLocaleString('en-US')
  assert.throws(decode(weights.subarray(0, weights.length - 4)), {
    message:
      `tiny.weights: layer 22 (1x1, 16 -> 21): expected 357 numbers, found 356 left of ${plain(total - 1)}; ` +
      `tiny.cfg asks for ${plain(total)} in all`,
  })
  // The first layer: 2 filters of 3x3x3, and 4 numbers each.
  assert.throws(
    decode(weights.subarray(0, 20 + 4 * 50)),
    /layer 0 \(3x3, 3 -> 2\): expected 62 numbers, found 50 left of 50/,
  )
  assert.throws(
    decode(Buffer.concat([weights, Buffer.alloc(8)])),
    new RegExp(`tiny.cfg asks for ${plain(total)} in all, found ${plain(total + 2)}`),
  )
  // Cut off within a number.
  assert.throws(
    decode(weights.subarray(0, weights.length - 3)),
    /layer 22 \(1x1, 16 -> 21\): expected 357 numbers, found 356 left/,
  )
  assert.throws(decode(Buffer.concat([weights, Buffer.alloc(2)])), new RegExp(`found ${plain(total)}.5`))
  assert.throws(decode(weights.subarray(0, 18)), /expected a header of 20 bytes, found 18 bytes/)
  assert.throws(decode(new Uint8Array(0)), /expected a header of 16 bytes, found 0 bytes/)
  const transposed = Uint8Array.from(weights)
  new DataView(transposed.buffer).setInt32(0, 1001, true)
  assert.throws(decode(transposed), /version 1001\.2 stores transposed kernels/)
  const wrong = decodeWeights(weights, cfg)
  const count = tf.memory().numTensors
  assert.throws(
    () => new DarknetNetwork(cfg, { ...wrong, convolutions: wrong.convolutions.slice(1) }),
    /tiny\.cfg: expected weights of 13 convolutions, found 12/,
  )
  assert.throws(
    () => new DarknetNetwork(cfg, { ...wrong, convolutions: [...wrong.convolutions].reverse() }),
    /tiny\.cfg: layer 0: expected a kernel of 54, 2 biases and batch norm, found 336, 21 and none/,
  )
  const short = wrong.convolutions.map((weights, i) =>
    i === 3 ? { ...weights, kernel: new Float32Array(1) } : weights,
  )
  assert.throws(
    () => new DarknetNetwork(cfg, { ...wrong, convolutions: short }),
    /layer 6: expected .* found 1, 8\/8\/8\/8 and/,
  )
  assert.equal(tf.memory().numTensors, count)
})

test('the published networks: layers, routes and the sizes of their weights files', () => {
  const routes = (cfg: ReturnType<typeof parseCfg>) =>
    cfg.layers.flatMap((layer, i) => (layer.type === 'route' ? [[i, ...layer.layers]] : []))
  const full = parseCfg(yolov3Cfg())
  assert.equal(full.layers.length, 107)
  assert.deepEqual(routes(full), [
    [83, 79],
    [86, 85, 61],
    [95, 91],
    [98, 97, 36],
  ])
  // yolov3.weights has 248,007,048 bytes.
  assert.equal(20 + 4 * countNumbers(full), 248_007_048)
  const spp = parseCfg(yolov3SppCfg())
  assert.equal(spp.layers.length, 114)
  assert.deepEqual(routes(spp), [
    [79, 77],
    [81, 77],
    [83, 82, 80, 78, 77],
    [90, 86],
    [93, 92, 61],
    [102, 98],
    [105, 104, 36],
  ])
  // yolov3-spp.weights has 252,209,544 bytes.
  assert.equal(20 + 4 * countNumbers(spp), 252_209_544)
  const tiny = parseCfg(yolov3TinyCfg())
  assert.equal(tiny.layers.length, 24)
  assert.deepEqual(routes(tiny), [
    [17, 13],
    [20, 19, 8],
  ])
  // yolov3-tiny.weights has 35,434,956 bytes.
  assert.equal(20 + 4 * countNumbers(tiny), 35_434_956)
  assert.deepEqual(
    full.shapes.filter((_, i) => full.layers[i]!.type === 'yolo').map((shape) => Object.values(shape)),
    [
      [19, 19, 255],
      [38, 38, 255],
      [76, 76, 255],
    ],
  )
})

const HEAD = '[net]\nwidth=32\nheight=32\nchannels=3\n'
const CONV = '[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky\n'

test('white space and comments do not count, as in Darknet', () => {
  const text =
    '# a comment\n\n[network]\r\n width = 32\nheight=64\n; another\nmomentum=0.9\n[convolutional]\n' +
    'filters = 4 # few\nsize=3\nstride=2\npad=1\nactivation = leaky#1\n[route]\nlayers = -1, 0\n'
  const cfg = parseCfg(text)
  assert.deepEqual(cfg.input, { height: 64, width: 32, channels: 3 })
  assert.deepEqual(cfg.layers[0], {
    type: 'convolutional',
    in: 3,
    filters: 4,
    size: 3,
    stride: 2,
    padding: 1,
    batchNormalize: false,
    activation: 'leaky',
  })
  assert.deepEqual(cfg.layers[1], { type: 'route', layers: [0, 0], groups: 1, group: 0 })
  assert.deepEqual(cfg.shapes, [
    { height: 32, width: 16, channels: 4 },
    { height: 32, width: 16, channels: 8 },
  ])
})

test('errors in a cfg name file, line, section and key', () => {
  const refused = (text: string, message: RegExp) => assert.throws(() => parseCfg(text, 'a.cfg'), message)
  refused('', /a\.cfg: expected the first section to be \[net\], found none/)
  refused(CONV, /expected the first section to be \[net\], found \[convolutional\]/)
  refused('width=32', /a\.cfg:1: expected \[section\], then key=value lines, found "width=32"/)
  refused(`${HEAD}nonsense\n`, /a\.cfg:5: expected .* found "nonsense"/)
  refused(`${HEAD}width=64\n`, /a\.cfg:5: \[net\] gives width twice \(first in line 2\)/)
  refused('[net]\nwidth=32\n', /a\.cfg:1: \[net\] height: expected this key, found none/)
  refused('[net]\nwidth=3.5\nheight=32\n', /a\.cfg:2: \[net\] width: Expected integer.*found "3\.5"/)
  refused('[net]\nwidth=wide\nheight=32\n', /a\.cfg:2: \[net\] width: expected a number, found "wide"/)
  refused(HEAD + CONV.replace('leaky', 'mish'), /a\.cfg:10: \[convolutional\] activation: .*found "mish"/)
  refused(
    HEAD + CONV.replace('size', 'sise'),
    /a\.cfg:5: \[convolutional\] size: expected this key, found none/,
  )
  refused(`${HEAD}${CONV}binary=1\n`, /a\.cfg:11: \[convolutional\] binary: a key that is not supported here/)
  refused(`${HEAD}${CONV}groups=2\n`, /a\.cfg:11: \[convolutional\] groups: .*found "2"/)
  refused(`${HEAD}[lstm]\n`, /a\.cfg:5: \[lstm\], layer 0: unknown section; known are convolutional, maxpool/)
  refused(`${HEAD}[deconvolutional]\n`, /unknown section.*retrain with nearest upsampling/)
  refused(
    `${HEAD}${CONV}[route]\nlayers=1\n`,
    /a\.cfg:11: \[route\], layer 1: expected an earlier layer, found 1/,
  )
  refused(`${HEAD}${CONV}[route]\nlayers=-2\n`, /expected an earlier layer, found -2/)
  refused(`${HEAD}${CONV}[route]\nlayers=\n`, /a\.cfg:12: \[route\] layers: expected a number, found ""/)
  refused(`${HEAD}${CONV}[route]\nlayers=0\ngroups=2\ngroup_id=2\n`, /group_id below groups=2, found 2/)
  refused(`${HEAD}${CONV}[route]\nlayers=0\ngroups=3\n`, /channels in 3 equal groups, found 16x16x4/)
  refused(
    `${HEAD}${CONV}${CONV.replace('stride=2', 'stride=1')}[shortcut]\nfrom=-2\nactivation=leaky\n`,
    /a\.cfg:19: \[shortcut\] activation: .*"linear".*found "leaky"/,
  )
  refused(
    `${HEAD}${CONV}${CONV}[shortcut]\nfrom=-2\nactivation=linear\n`,
    /\[shortcut\], layer 2: expected equal shapes, found 16x16x4 and 8x8x4/,
  )
  refused(`${HEAD}${CONV}${CONV}[route]\nlayers=0,1\n`, /expected maps of one size, found 16x16x4, 8x8x4/)
  refused(
    `${HEAD}[maxpool]\nsize=3\nstride=2\n`,
    /expected stride 1, or size 2 and stride 2, found size 3 and stride 2/,
  )
  const yolo = '[yolo]\nmask=0\nanchors=10,14\nclasses=3\nnum=1\n'
  refused(HEAD + CONV + yolo, /\[yolo\], layer 1: expected 1 \* \(5 \+ 3\) = 8 channels in front, found 4/)
  refused(HEAD + CONV + yolo.replace('mask=0', 'mask=1'), /expected mask below num=1, found 1/)
  refused(HEAD + CONV + yolo.replace('num=1', 'num=2'), /expected num=2 anchors, found 1/)
})

test('a detector goes to Darknet and back', () => {
  const config = narrowDetector({
    upsample: 'nearest',
    anchors: [
      [[98.5, 75]],
      [
        [10, 7],
        [17, 9],
      ],
      [
        [3, 7],
        [6, 5],
        [5, 11],
      ],
    ],
  })
  const weights = drawnWeights(config, new Lcg(3))
  const files = toDarknet(config, weights, 640)
  assert.equal(files.weights.seen, 640n)
  const cfg = parseCfg(files.cfg)
  const back = fromDarknet(cfg, decodeWeights(encodeWeights(files.weights), cfg))
  assert.deepEqual(back.config, config)
  assert.deepEqual([...back.weights.keys()], [...weights.keys()])
  for (const [name, { shape, values }] of weights) {
    const found = back.weights.get(name)!
    assert.deepEqual(found.shape, shape)
    // The other epsilon goes into gamma and out again.
    if (name.endsWith('/gamma')) assertClose(found.values, values, name, 1e-6)
    else assert.deepEqual(found.values, values)
  }
})

test('the detector and its Darknet files compute the same, small variances included, compiled too', () => {
  const config = narrowDetector({ upsample: 'nearest' })
  const weights = new Map(drawnWeights(config, new Lcg(4)))
  const name = 'neck/detect2/3/variance'
  const { shape } = weights.get(name)!
  weights.set(name, { shape, values: new Float32Array(shape[0]!).fill(1e-6) })
  const files = toDarknet(config, weights)
  const cfg = parseCfg(files.cfg)
  const network = new DarknetNetwork(cfg, files.weights)
  const detector = new Detector(config, weights)
  const images = tf.tensor4d(new Lcg(5).uniform(2 * 64 * 96 * 3, 0, 1), [2, 64, 96, 3])
  const expected = flat(detector.forward(images, { training: false }).outputs)
  assertClose(flat(network.forward(images)), expected, 'logits')
  const compiled = compile(
    (x: tf.Tensor4D) => ({ ...detect(network.forward(x), decodingOf(cfg), { objectness: 0.1 }) }),
    { state: network.state },
  )
  const own = detect(detector.forward(images, { training: false }).outputs, config, { objectness: 0.1 })
  const found = compiled(images)
  assert.deepEqual([...found.counts.dataSync()], [...own.counts.dataSync()])
  assertClose(found.scores.dataSync(), own.scores.dataSync(), 'scores')
  compiled.dispose()
  network.dispose()
  detector.dispose()
})

test('a detector with deconvolutions is not exported', () => {
  assert.throws(
    () => detectorCfg(publishedDetector()),
    /expected upsample "nearest", found "deconv", for which neither OpenCV nor current Darknet versions/,
  )
})

test('a cfg of another network is no detector of this library, and the first difference is named', () => {
  const { cfg, weights } = darknetCase('yolov3-tiny')
  const tiny = parseCfg(cfg, 'tiny.cfg')
  assert.throws(
    () => fromDarknet(tiny, decodeWeights(weights, tiny)),
    /tiny\.cfg: expected the 44 convolutions of a darknet21-YOLOv3, found 13/,
  )
  const files = toDarknet(
    narrowDetector({ upsample: 'nearest' }),
    drawnWeights(narrowDetector({ upsample: 'nearest' }), new Lcg(1)),
  )
  const other = parseCfg(files.cfg.replace('activation=leaky', 'activation=linear'), 'other.cfg')
  const own = parseCfg(files.cfg, 'own.cfg')
  assert.throws(
    () => fromDarknet(own, { ...files.weights, convolutions: files.weights.convolutions.slice(1) }),
    /own\.cfg: expected weights of 44 convolutions, found 43/,
  )
  const cut = parseCfg(files.cfg.slice(0, files.cfg.lastIndexOf('[yolo]')), 'cut.cfg')
  assert.throws(
    () => fromDarknet(cut, files.weights),
    /cut\.cfg: expected 3 \[yolo\] sections, as a darknet21-YOLOv3 has, found 2/,
  )
  assert.throws(
    () => fromDarknet(other, files.weights),
    /other\.cfg:9: layer 0 is not that of a darknet21-YOLOv3: expected .*leaky.*, found .*linear/,
  )
})

test('decoding needs [yolo] sections of strides 32, 16, 8 that agree', () => {
  assert.deepEqual(decodingOf(parseCfg(yolov3TinyCfg({ classes: 3 }))), {
    anchors: [
      [
        [81, 82],
        [135, 169],
        [344, 319],
      ],
      [
        [10, 14],
        [23, 27],
        [37, 58],
      ],
    ],
    classes: 3,
    scaleXY: 1,
  })
  assert.throws(() => decodingOf(parseCfg(HEAD + CONV)), /at least one \[yolo\] section, found none/)
  const yolo = '[yolo]\nmask=0\nanchors=10,14\nclasses=3\nnum=1\n'
  const text = HEAD + CONV.replace('filters=4', 'filters=8') + yolo
  assert.throws(
    () => decodingOf(parseCfg(text, 'b.cfg')),
    /b\.cfg:11: expected a \[yolo\] of stride 32 .*found stride 2/,
  )
})

test('files are read by name, and errors carry it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'darknet-'))
  try {
    const { cfg, weights } = darknetCase('yolov3-tiny')
    const [cfgFile, weightsFile] = [join(folder, 'tiny.cfg'), join(folder, 'tiny.weights')]
    writeFileSync(cfgFile, cfg)
    writeFileSync(weightsFile, weights)
    assert.deepEqual(encodeWeights(readDarknet(cfgFile, weightsFile).weights), weights)
    writeFileSync(weightsFile, weights.subarray(0, 1000))
    assert.throws(
      () => readDarknet(cfgFile, weightsFile),
      (error: Error) => error.message.startsWith(weightsFile) && error.message.includes(cfgFile),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
