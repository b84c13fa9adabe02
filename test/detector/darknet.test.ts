import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  convolutionsOf,
  countNumbers,
  Detector,
  darknet21,
  decodeWeights,
  detect,
  encodeWeights,
  fromDarknet,
  headsOf,
  initialWeights,
  type NetworkSpec,
  networkCfg,
  parseCfg,
  readDarknet,
  shapesOf,
  sourcesOf,
  toDarknet,
  yolov3,
  yolov3Spp,
  yolov3Tiny,
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
    const { network } = parseCfg(files.cfg)
    const detector = new Detector(
      network,
      fromDarknet(network, decodeWeights(files.weights, network)).weights,
    )
    const images = tf.tensor4d(files.image, [1, ...files.size, 3])
    const { outputs } = detector.forward(images, { training: false })
    assert.deepEqual(
      outputs.map((output) => output.shape),
      expected.shapes,
    )
    assertClose(flat(outputs), unpack(expected.logits), 'logits', 1e-5)
    detector.dispose()
  })
}

test('files that are written again of what was read give OpenCV’s logits too', () => {
  for (const name of NAMES) {
    const expected = oracle.find((entry) => entry.name === name)!
    const files = darknetCase(name)
    const first = parseCfg(files.cfg).network
    const { weights } = fromDarknet(first, decodeWeights(files.weights, first))
    const again = toDarknet(first, weights)
    const { network } = parseCfg(again.cfg)
    const { darknet: _, ...own } = first
    const { darknet: __, ...theirs } = network
    assert.deepEqual(theirs, own, name)
    const bytes = decodeWeights(encodeWeights(again.weights), network)
    const detector = new Detector(network, fromDarknet(network, bytes).weights)
    const { outputs } = detector.forward(tf.tensor4d(files.image, [1, ...files.size, 3]), { training: false })
    assertClose(flat(outputs), unpack(expected.logits), name, 1e-5)
    detector.dispose()
  }
})

test('a weights file is the same to the byte after reading and writing', () => {
  for (const name of NAMES) {
    const { cfg, weights } = darknetCase(name)
    assert.deepEqual(encodeWeights(decodeWeights(weights, parseCfg(cfg).network)), weights)
  }
})

test('headers: version, images seen in 64 bits from version 0.2 on and in 32 before', () => {
  const cfg = '[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=1\nsize=1\nactivation=linear\n'
  const { network } = parseCfg(cfg)
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
  assert.deepEqual(decodeWeights(recent, network), { version: [0, 2, 5], seen: 2n ** 40n + 7n, convolutions })
  assert.deepEqual(decodeWeights(early, network), { version: [0, 1, 0], seen: 7n, convolutions })
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
  const { network } = parseCfg(text, 'tiny.cfg')
  const place = { file: 'tiny.weights', cfg: 'tiny.cfg' }
  const decode = (bytes: Uint8Array) => () => decodeWeights(bytes, network, place)
  const total = countNumbers(network)
  assert.equal(weights.length, 20 + 4 * total)
  const last = convolutionsOf(network).at(-1)!
  assert.deepEqual([last.index, last.layer.in, last.layer.out], [22, 16, 21])
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
  const { convolutions } = decodeWeights(weights, network)
  assert.throws(
    () => fromDarknet(network, { convolutions: [...convolutions, ...convolutions] }),
    /expected weights of 13 convolutions, found 26/,
  )
  assert.throws(
    () => fromDarknet(network, { convolutions: [...convolutions].reverse() }),
    /layer 0: expected a kernel of 54, 2 biases and batch norm, found 336, 21 and none/,
  )
  const short = convolutions.map((weights, i) =>
    i === 3 ? { ...weights, kernel: new Float32Array(1) } : weights,
  )
  assert.throws(
    () => fromDarknet(network, { convolutions: short }),
    /layer 6: expected .* found 1, 8\/8\/8\/8 and/,
  )
})

test('a weights file that ends between two layers gives the first ones; the others are initial', () => {
  const { cfg, weights } = darknetCase('yolov3')
  const { network } = parseCfg(cfg)
  // darknet53.conv.74 has the 52 convolutions of the backbone, up to layer 74.
  const backbone = convolutionsOf(network).slice(0, 52)
  assert.deepEqual([backbone.at(-1)!.index, convolutionsOf(network)[52]!.index], [73, 75])
  const numbers = backbone.reduce((sum, { layer }) => {
    const { kernel, in: inputs, out } = layer
    return sum + out * (4 + inputs * kernel ** 2)
  }, 0)
  const part = decodeWeights(weights.subarray(0, 20 + 4 * numbers), network)
  assert.equal(part.convolutions.length, 52)
  const [found, whole] = [part, decodeWeights(weights, network)].map((file) => fromDarknet(network, file, 3))
  assert.deepEqual(
    found!.initial,
    convolutionsOf(network)
      .slice(52)
      .map(({ layer }) => layer.name),
  )
  assert.deepEqual(whole!.initial, [])
  const initial = initialWeights(network, 3)
  for (const [name, { shape, values }] of whole!.weights) {
    const isInitial = found!.initial.includes(name.replace(/\/.*/, ''))
    assert.deepEqual(found!.weights.get(name), isInitial ? initial.get(name) : { shape, values }, name)
  }
})

test('the published networks: layers, routes and the sizes of their weights files', () => {
  const routes = (network: NetworkSpec) =>
    network.layers.flatMap((layer, i) =>
      layer.kind === 'route'
        ? [[i, ...layer.from.map((name) => network.layers.findIndex((other) => other.name === name))]]
        : [],
    )
  const full = yolov3()
  assert.equal(full.layers.length, 107)
  assert.deepEqual(routes(full), [
    [83, 79],
    [86, 85, 61],
    [95, 91],
    [98, 97, 36],
  ])
  // yolov3.weights has 248,007,048 bytes.
  assert.equal(20 + 4 * countNumbers(full), 248_007_048)
  const spp = yolov3Spp()
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
  const tiny = yolov3Tiny()
  assert.equal(tiny.layers.length, 24)
  assert.deepEqual(routes(tiny), [
    [17, 13],
    [20, 19, 8],
  ])
  // yolov3-tiny.weights has 35,434,956 bytes.
  assert.equal(20 + 4 * countNumbers(tiny), 35_434_956)
  const shapes = shapesOf(full)
  assert.deepEqual(
    full.layers.flatMap((layer) => (layer.kind === 'yolo' ? [Object.values(shapes.get(layer.name)!)] : [])),
    [
      [19, 19, 255, 32],
      [38, 38, 255, 16],
      [76, 76, 255, 8],
    ],
  )
  for (const network of [full, spp, tiny]) {
    const darknet = { batch: '1', subdivisions: '1' }
    assert.deepEqual(parseCfg(networkCfg(network)).network, { ...network, darknet })
  }
})

test('backbone, neck and heads of the published networks are found, and their maps named', () => {
  const partsOf = ({ layers }: NetworkSpec) =>
    layers
      .map(({ part }) => part[0])
      .join('')
      .replace(/(.)\1*/g, (run) => `${run[0]}${run.length} `)
  assert.equal(partsOf(yolov3()), 'b75 n5 h3 n9 h3 n9 h3 ')
  assert.equal(partsOf(yolov3Spp()), 'b75 n12 h3 n9 h3 n9 h3 ')
  assert.equal(partsOf(yolov3Tiny()), 'b13 n1 h3 n4 h3 ')
  assert.deepEqual(yolov3().features, {
    ...{ C3: 'shortcut36', C4: 'shortcut61', C5: 'shortcut74' },
    ...{ detect1: 'conv79', detect2: 'conv91', detect3: 'conv103' },
  })
  assert.deepEqual(yolov3Tiny().features, {
    ...{ C3: 'conv6', C4: 'conv8', C5: 'conv12' },
    ...{ detect1: 'conv13', detect2: 'route20' },
  })
})

const HEAD = '[net]\nwidth=32\nheight=32\nchannels=3\n'
const CONV = '[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky\n'

test('white space and comments do not count, as in Darknet', () => {
  const text =
    '# a comment\n\n[network]\r\n width = 32\nheight=64\n; another\nmomentum=0.9\n[convolutional]\n' +
    'filters = 4 # few\nsize=3\nstride=2\npad=1\nactivation = leaky#1\n[route]\nlayers = -1, 0\n'
  const { network } = parseCfg(text)
  assert.deepEqual([network.input, network.channels, network.darknet], [[64, 32], 3, { momentum: '0.9' }])
  assert.deepEqual(network.layers[0], {
    ...{ kind: 'convolution', name: 'conv0', part: 'backbone', from: 'images' },
    ...{ kernel: 3, stride: 2, padding: 1, groups: 1, out: 4, batchNorm: false, activation: 'leaky' },
  })
  assert.deepEqual(network.layers[1], {
    ...{ kind: 'route', name: 'route1', part: 'backbone', from: ['conv0', 'conv0'], groups: 1, groupId: 0 },
  })
  assert.deepEqual(shapesOf(network).get('conv0'), { height: 32, width: 16, channels: 4, stride: 2 })
  assert.deepEqual(shapesOf(network).get('route1'), { height: 32, width: 16, channels: 8, stride: 2 })
})

test('a key given twice has the first value, as Darknet takes it, with a warning', () => {
  const twice = CONV.replace('filters=4', 'filters=8\nfilters=4\nsize=3')
  const { network, warnings } = parseCfg(HEAD + twice, 'a.cfg')
  assert.equal(shapesOf(network).get('conv0')!.channels, 8)
  assert.deepEqual(warnings, [
    'a.cfg:7: [convolutional] gives filters twice: taken is 8 of line 6, as Darknet takes it, not 4 (OpenCV takes the last ' +
      'one); keep one',
  ])
})

test('what Darknet passes over or fills in is read as it reads it, with a warning', () => {
  const text = `${HEAD}${CONV.replace('size=3', 'sise=3')}onlyforward=1\nstride_x=2\nstride_y=2\n`
  const { network, warnings } = parseCfg(text, 'a.cfg')
  const [layer] = network.layers
  assert.ok(layer?.kind === 'convolution')
  assert.deepEqual([layer.kernel, layer.stride], [1, 2])
  assert.deepEqual(layer.darknet, { sise: '3', onlyforward: '1' })
  assert.deepEqual(warnings, [
    'a.cfg:7: [convolutional] sise: a key that is not known here; it is kept, and changes nothing',
    'a.cfg:5: [convolutional] gives no size: taken is 1, as Darknet takes it',
  ])
  // Line ends of another system, spaces, the section's other name, and routes that count back from the end.
  const odd = text.replace('[net]', '[network]').replace(/=/g, ' = ').replace(/\n/g, '\r\n')
  assert.deepEqual(parseCfg(odd).network, network)
  for (const section of ['sam', 'scale_channels', 'Gaussian_yolo', 'crnn', 'dropout'])
    assert.throws(
      () => parseCfg(`${HEAD}${CONV}[${section}]\nfrom=-1\n`, 'a.cfg'),
      new RegExp(`a\\.cfg:11: \\[${section}\\], layer 1: unknown section; known are convolutional`),
    )
})

test('keys of [net] and [yolo] that say nothing about the network are kept, and written again', () => {
  const yolo = '[yolo]\nmask=0\nanchors=10,14\nclasses=3\nnum=1\njitter=.3\nmine=yes\n'
  const text = `${HEAD}burn_in=1000\nbatch=64\n${CONV.replace('filters=4', 'filters=8')}stopbackward=1\n${yolo}`
  const { network } = parseCfg(text)
  assert.deepEqual(network.darknet, { burn_in: '1000', batch: '64' })
  assert.deepEqual(
    network.layers.map(({ darknet }) => darknet),
    [{ stopbackward: '1' }, { jitter: '.3', mine: 'yes' }],
  )
  const again = parseCfg(networkCfg(network)).network
  assert.deepEqual(again, { ...network, darknet: { ...network.darknet, subdivisions: '1' } })
})

test('errors in a cfg name file, line, section and key', () => {
  const refused = (text: string, message: RegExp) => assert.throws(() => parseCfg(text, 'a.cfg'), message)
  refused('', /a\.cfg: expected the first section to be \[net\], found none/)
  refused(CONV, /expected the first section to be \[net\], found \[convolutional\]/)
  refused('width=32', /a\.cfg:1: expected \[section\], then key=value lines, found "width=32"/)
  refused(`${HEAD}nonsense\n`, /a\.cfg:5: expected .* found "nonsense"/)
  refused('[net]\nwidth=32\n', /a\.cfg:1: \[net\] height: expected this key, found none/)
  refused('[net]\nwidth=3.5\nheight=32\n', /a\.cfg:2: \[net\] width: Expected integer.*found "3\.5"/)
  refused('[net]\nwidth=wide\nheight=32\n', /a\.cfg:2: \[net\] width: expected a number, found "wide"/)
  refused(HEAD + CONV.replace('leaky', 'selu'), /a\.cfg:10: \[convolutional\] activation: .*found "selu"/)
  refused(
    `${HEAD}${CONV}stride_x=2\nstride_y=1\n`,
    /a\.cfg:5: \[convolutional\], layer 0: expected one stride for both directions, found 2 and 1/,
  )
  refused(`${HEAD}${CONV}[route]\ngroups=2\n`, /a\.cfg:11: \[route\] layers: expected this key, found none/)
  refused(`${HEAD}${CONV}binary=1\n`, /a\.cfg:11: \[convolutional\] binary: .*found "1"/)
  refused(
    `${HEAD}${CONV}groups=2\n`,
    /a\.cfg:5: \[convolutional\], layer 0: expected channels in 2 equal groups, found 3 in and 4 out/,
  )
  refused(`${HEAD}[lstm]\n`, /a\.cfg:5: \[lstm\], layer 0: unknown section; known are convolutional, maxpool/)
  refused(`${HEAD}[deconvolutional]\n`, /unknown section.*retrain with nearest upsampling/)
  refused(
    `${HEAD}${CONV}[route]\nlayers=1\n`,
    /a\.cfg:11: \[route\], layer 1: expected an earlier layer, found 1/,
  )
  refused(`${HEAD}${CONV}[route]\nlayers=-2\n`, /expected an earlier layer, found -2/)
  refused(`${HEAD}${CONV}[route]\nlayers=\n`, /a\.cfg:12: \[route\] layers: expected a number, found ""/)
  refused(
    `${HEAD}${CONV}[route]\nlayers=0\ngroups=2\ngroup_id=2\n`,
    /a\.cfg:11: \[route\], layer 1: expected groupId below groups = 2, found 2/,
  )
  refused(`${HEAD}${CONV}[route]\nlayers=0\ngroups=3\n`, /channels in 3 equal groups, found 16x16x4/)
  refused(
    `${HEAD}${CONV}${CONV.replace('stride=2', 'stride=1')}[shortcut]\nfrom=-2\nactivation=selu\n`,
    /a\.cfg:19: \[shortcut\] activation: .*found "selu"/,
  )
  refused(
    `${HEAD}${CONV}${CONV}[shortcut]\nfrom=-2\nactivation=linear\n`,
    /\[shortcut\], layer 2: expected maps of one size, found 8x8x4, 16x16x4/,
  )
  refused(`${HEAD}${CONV}${CONV}[route]\nlayers=0,1\n`, /expected maps of one size, found 16x16x4, 8x8x4/)
  refused(`${HEAD}[maxpool]\nsize=3\npadding=6\n`, /expected padding below twice the size 3, found 6/)
  const yolo = '[yolo]\nmask=0\nanchors=10,14\nclasses=3\nnum=1\n'
  refused(HEAD + CONV + yolo, /\[yolo\], layer 1: expected 1 \* \(5 \+ 3\) = 8 channels, found 16x16x4/)
  refused(HEAD + CONV + yolo.replace('mask=0', 'mask=1'), /expected mask below num=1, found 1/)
  refused(HEAD + CONV + yolo.replace('num=1', 'num=2'), /expected num=2 anchors, found 1/)
  const fits = HEAD + CONV.replace('filters=4', 'filters=8') + yolo
  refused(fits + CONV, /a\.cfg:16: \[convolutional\], layer 2: expected a \[route\] behind a \[yolo\]/)
  refused(`${fits}[route]\nlayers=-1\n`, /layer 2: expected a layer with a map, found -1, a \[yolo\]/)
})

/** The layers by their places, as a cfg file says them: without names, parts and routes of a single map. */
function structureOf({ layers }: NetworkSpec): object[] {
  const places = new Map<string, number>([['images', -1]])
  const structure: object[] = []
  for (const layer of layers) {
    const from = sourcesOf(layer).map((name) => places.get(name)!)
    if (layer.kind === 'route' && from.length === 1) {
      places.set(layer.name, from[0]!)
      continue
    }
    places.set(layer.name, structure.length)
    const { name: _, part: __, ...own } = layer
    structure.push({ ...own, from: layer.kind === 'shortcut' ? from.sort((a, b) => a - b) : from })
  }
  return structure
}

test('a detector goes to Darknet and back', () => {
  const network = narrowDetector({
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
  const weights = drawnWeights(network, new Lcg(3))
  const files = toDarknet(network, weights, 640)
  assert.equal(files.weights.seen, 640n)
  const cfg = parseCfg(files.cfg)
  assert.deepEqual(headsOf(cfg.network), headsOf(network))
  assert.deepEqual(structureOf(cfg.network), structureOf(network))
  const back = fromDarknet(cfg.network, decodeWeights(encodeWeights(files.weights), cfg.network))
  const found = [...back.weights]
  ;[...weights].forEach(([name, { shape, values }], i) => {
    const [otherName, other] = found[i]!
    assert.equal(otherName.replace(/.*\//, ''), name.replace(/.*\//, ''))
    assert.deepEqual(other.shape, shape)
    // The other epsilon goes into gamma and out again.
    if (name.endsWith('/gamma')) assertClose(other.values, values, name, 1e-6)
    else assert.deepEqual(other.values, values)
  })
})

test('the detector and its Darknet files compute the same, small variances included, compiled too', () => {
  const network = narrowDetector({ upsample: 'nearest' })
  const weights = new Map(drawnWeights(network, new Lcg(4)))
  const name = 'neck/detect2/3/variance'
  const { shape } = weights.get(name)!
  weights.set(name, { shape, values: new Float32Array(shape[0]!).fill(1e-6) })
  const files = toDarknet(network, weights)
  const cfg = parseCfg(files.cfg)
  const theirs = new Detector(cfg.network, fromDarknet(cfg.network, files.weights).weights)
  const detector = new Detector(network, weights)
  const images = tf.tensor4d(new Lcg(5).uniform(2 * 64 * 96 * 3, 0, 1), [2, 64, 96, 3])
  const infer = (model: Detector, x: tf.Tensor4D) => model.forward(x, { training: false }).outputs
  assertClose(flat(infer(theirs, images)), flat(infer(detector, images)), 'logits')
  const compiled = compile(
    (x: tf.Tensor4D) => ({ ...detect(infer(theirs, x), theirs.config, { objectness: 0.1 }) }),
    { state: theirs.state },
  )
  const own = detect(infer(detector, images), detector.config, { objectness: 0.1 })
  const found = compiled(images)
  assert.deepEqual([...found.counts.dataSync()], [...own.counts.dataSync()])
  assertClose(found.scores.dataSync(), own.scores.dataSync(), 'scores')
  compiled.dispose()
  theirs.dispose()
  detector.dispose()
})

test('a detector with deconvolutions is not exported', () => {
  assert.throws(
    () => networkCfg(darknet21()),
    /layer "neck\/up2": expected a convolution, found a deconvolution, for which neither OpenCV nor current Darknet/,
  )
})

test('decoding needs [yolo] sections that agree, and cells that divide the input', () => {
  assert.deepEqual(headsOf(yolov3Tiny({ classes: 3 })), {
    input: [416, 416],
    classes: 3,
    strides: [32, 16],
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
    scaleXY: [1, 1],
    featureWidths: [256, 384],
  })
  assert.throws(() => headsOf(parseCfg(HEAD + CONV).network), /at least one yolo layer, found none/)
  const forms = parseCfg(darknetCase('forms').cfg).network
  assert.throws(
    () => headsOf(forms),
    /layer 14 "yolo14" \(yolo\): expected an input of multiples of 8 pixels, found \[36,52\], of which it sees 5x7 cells/,
  )
})

test('files are read by name, and errors carry it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'darknet-'))
  try {
    const { cfg, weights } = darknetCase('yolov3-tiny')
    const [cfgFile, weightsFile] = [join(folder, 'tiny.cfg'), join(folder, 'tiny.weights')]
    writeFileSync(cfgFile, cfg)
    writeFileSync(weightsFile, weights)
    const model = readDarknet(cfgFile, weightsFile)
    const { network } = parseCfg(cfg)
    assert.deepEqual([model.network, model.initial, model.seen], [network, [], 32013312n])
    assert.deepEqual(model.weights, fromDarknet(network, decodeWeights(weights, network)).weights)
    writeFileSync(weightsFile, weights.subarray(0, 1000))
    assert.throws(
      () => readDarknet(cfgFile, weightsFile),
      (error: Error) => error.message.startsWith(weightsFile) && error.message.includes(cfgFile),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
