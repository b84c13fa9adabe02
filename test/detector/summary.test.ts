import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { parseXml } from '../../lib/data/intake/xml'
import {
  darknet21,
  drawNetwork,
  layersOf,
  STUDENT_WIDTHS,
  sketchNetwork,
  summary,
  yolov3Spp,
  yolov3Tiny,
} from '../../lib/detector'
import { FORMS } from './general'
import { narrowDetector } from './support'

const cells = (line: string) =>
  line
    .split('│')
    .slice(1, -1)
    .map((cell) => cell.trim())

test('the table lists every layer, the totals by part and both counts by name', () => {
  const config = darknet21()
  const lines = summary(config).split('\n')
  const rows = lines.filter((line) => line.startsWith('│')).map(cells)
  const names = layersOf(config).layers.map((layer) => layer.name)
  assert.deepEqual(
    rows.map(([name]) => name).filter((name) => names.includes(name!)),
    names,
  )
  assert.deepEqual(rows.find(([name]) => name === 'stage3/down')!, [
    'stage3/down',
    '3x3/2',
    '48x128x128',
    '24x64x256',
    '452,984,832',
    '295,424',
  ])
  const totals = rows.filter((row) => row.length === 3)
  assert.deepEqual(totals, [
    ['backbone (20 layers)', '5,873,074,176', '14,920,544'],
    ['neck (20 layers)', '1,887,436,800', '9,202,944'],
    ['head (6 layers)', '692,895,744', '3,133,429'],
    ['total (46 layers)', '8,453,406,720', '27,256,917'],
  ])
  assert.match(lines.at(-3)!, /^MACs .*one MAC is two FLOPs.*8,453,406,720 = 8\.453 G$/)
  assert.match(lines.at(-2)!, /^by mmdetection's rules .*= 8\.496 G$/)
  assert.equal(lines.at(-1), 'parameters: 27,256,917')
})

test('the drawing in text stands above the table and follows the switches', () => {
  const options = { upsample: 'nearest', spp: false, classes: 20, input: [96, 160] } as const
  const sketch = sketchNetwork(darknet21(STUDENT_WIDTHS, options))
  assert.equal(
    sketch,
    [
      'image 96x160x3',
      'stem          96x160x26  3×3',
      'stage 1       48x80x44   3×3 /2, 1 residual block (26)',
      'stage 2       24x40x84   3×3 /2, 1 residual block (52)',
      'stage 3 (C3)  12x20x80   3×3 /2, 2 residual blocks (104, 104) ─▶ concat ─▶ detect3 12x20x128 ─▶ head 12x20x75',
      '                                                                   ▲ 1×1 to 128, nearest ×2, of detect2',
      'stage 4 (C4)  6x10x26    3×3 /2, 2 residual blocks (122, 130) ─▶ concat ─▶ detect2 6x10x256  ─▶ head 6x10x75',
      '                                                                   ▲ 1×1 to 256, nearest ×2, of detect1',
      'stage 5 (C5)  3x5x52     3×3 /2, 1 residual block (26)        ───────────▶ detect1 3x5x512   ─▶ head 3x5x75',
    ].join('\n'),
  )
  const teacher = darknet21()
  assert.ok(summary(teacher).startsWith(`${sketchNetwork(teacher)}\n\n┌`))
  assert.match(sketchNetwork(teacher), /detect1 6x16x512 with SPP/)
  assert.match(sketchNetwork(teacher), /1×1 to 256, deconv 2×2 \/2, of detect1/)
})

test('the table has no colour codes, so that it can be written to a file', () => {
  assert.ok(!summary(narrowDetector()).includes('\u001b'))
})

test('the drawing is well-formed, names the shapes and can be rendered', async () => {
  const svg = drawNetwork(darknet21(STUDENT_WIDTHS))
  assert.ok('children' in parseXml(svg, 'drawing'))
  for (const shape of ['24 × 64 × 80', '12 × 32 × 26', '6 × 16 × 52', '6 × 16 × 39', '24 × 64 × 39']) {
    assert.ok(svg.includes(`>${shape}<`), shape)
  }
  assert.ok(svg.includes('SPP') && svg.includes('deconv') && svg.includes('3.940 G by mmdetection'))
  const { width, height, channels } = await sharp(Buffer.from(svg)).metadata()
  assert.deepEqual([width, height, channels], [1000, 776, 4])
})

test('the drawing follows the switches', () => {
  const svg = drawNetwork(narrowDetector({ upsample: 'nearest', spp: false, classes: 1 }))
  assert.ok('children' in parseXml(svg, 'drawing'))
  assert.ok(!svg.includes('SPP') && !svg.includes('deconv'))
  assert.ok(svg.includes('nearest ×2') && svg.includes('1 class<'))
})

test('networks of other shapes are drawn by the same rules: two scales, another backbone, four heads', async () => {
  assert.equal(
    sketchNetwork(yolov3Tiny()),
    [
      'image 416x416x3',
      'stem          416x416x16  3×3',
      'stage 1       208x208x32  max pool 2 /2, 3×3',
      'stage 2       104x104x64  max pool 2 /2, 3×3',
      'stage 3 (C3)  52x52x128   max pool 2 /2, 3×3',
      'stage 4 (C4)  26x26x256   max pool 2 /2, 3×3                  ─▶ concat ─▶ detect2 26x26x384 ─▶ head 26x26x255',
      '                                                                   ▲ 1×1 to 128, nearest ×2, of detect1',
      'stage 5 (C5)  13x13x1024  max pool 2 /2, 3×3, max pool 2, 3×3 ───────────▶ detect1 13x13x256 ─▶ head 13x13x255',
    ].join('\n'),
  )
  const sketch = sketchNetwork(yolov3Spp())
  assert.match(
    sketch,
    /stage 3 \(C3\) .* 3×3 \/2, 8 residual blocks \(128 each\) ─▶ concat ─▶ detect3 76x76x128 /,
  )
  assert.match(sketch, /detect1 19x19x512 with SPP ─▶ head 19x19x255/)
  for (const [network, heads] of [
    [yolov3Tiny(), 2],
    [yolov3Spp(), 3],
    [FORMS, 4],
  ] as const) {
    const svg = drawNetwork(network, 'a network')
    assert.ok('children' in parseXml(svg, 'drawing'))
    assert.equal(svg.match(/>head, stride \d+</g)?.length, heads)
    assert.equal((await sharp(Buffer.from(svg)).metadata()).width, 1000)
    const rows = summary(network).split('\n')
    assert.ok(layersOf(network).layers.every(({ name }) => rows.some((row) => row.includes(`│ ${name} `))))
  }
})
