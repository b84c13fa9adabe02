import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import {
  agreementTable,
  byDisagreement,
  comparisonPage,
  disagreement,
  drawPanels,
  exhibit,
  matchBoxes,
  meaningsOf,
  PANEL_COLOURS,
  panelsOf,
  type ScoredBox,
} from '../../lib/evaluate'

const box = (x1: number, label = 0, score = 0.9, width = 10): ScoredBox => ({
  ...{ x1, y1: 0, x2: x1 + width, y2: 10, label, score },
})

test('boxes of one class are paired one to one, the largest overlap first, whichever set comes first', () => {
  const first = [box(0), box(2), box(50, 1), box(80)]
  const second = [box(1.9), box(51), box(80), box(81)]
  // 2 and 1.9 overlap more than 0 and 1.9; classes differ at 50; of 80 and 81 one is taken.
  assert.deepEqual(matchBoxes(first, second), {
    both: [
      [3, 2],
      [1, 0],
    ],
    onlyFirst: [0, 2],
    onlySecond: [1, 3],
  })
  const { both, onlyFirst, onlySecond } = matchBoxes(second, first)
  assert.deepEqual(
    { both, onlyFirst, onlySecond },
    {
      both: [
        [2, 3],
        [0, 1],
      ],
      onlyFirst: [1, 3],
      onlySecond: [0, 2],
    },
  )
})

test('an IoU of 0.5 is enough, and boxes that only touch are no pair whatever is asked', () => {
  // 10 wide boxes, 10/3 apart: 6.67 / 13.33 = 0.5.
  assert.equal(matchBoxes([box(0)], [box(10 / 3 - 1e-9)]).both.length, 1)
  assert.equal(matchBoxes([box(0)], [box(10 / 3 + 1e-9)]).both.length, 0)
  assert.equal(matchBoxes([box(0)], [box(10)], 0).both.length, 0)
})

test('disagreement counts and weighs what one set has alone; a truth counts 1', () => {
  const found = disagreement([box(0, 0, 0.5), box(30, 0, 0.25)], [box(0), box(60, 0, 0.5)])
  assert.deepEqual(found, { boxes: 2, weight: 0.75 })
  assert.deepEqual(disagreement([{ x1: 0, y1: 0, x2: 9, y2: 9, label: 0 }], []), { boxes: 1, weight: 1 })
  const ranks = [
    { boxes: 1, weight: 0.9, index: 0 },
    { boxes: 2, weight: 0.7, index: 1 },
    { boxes: 2, weight: 0.8, index: 2 },
    { boxes: 1, weight: 0.9, index: -1 },
  ]
  assert.deepEqual(
    ranks.sort(byDisagreement).map(({ index }) => index),
    [2, 1, -1, 0],
  )
})

const CLASSES = ['car', 'bus']
const MODELS = ['teacher', 'student']
const truths = [
  { x1: 0, y1: 0, x2: 10, y2: 10, label: 0 },
  { x1: 30, y1: 0, x2: 40, y2: 10, label: 1 },
  { x1: 60, y1: 0, x2: 70, y2: 10, label: 0 },
  { x1: 90, y1: 0, x2: 99, y2: 10, label: 0, crowd: true },
]
const found = [
  [box(0), box(30, 1, 0.8)],
  [box(0.5), box(80, 0, 0.4)],
]

test('panels say what both have, what one has alone, whether it is right, and what is missed', () => {
  const panels = panelsOf({ name: 'a', truths, found }, MODELS, CLASSES)
  assert.deepEqual(
    panels.map(({ title, description }) => [title, description]),
    [
      ['truth', 'car; bus, missed by student; car, missed by teacher and student; car'],
      ['teacher', 'car 0.90; bus 0.80, only here, right; car, not found'],
      ['student', 'car 0.90; car 0.40, only here, wrong; bus, not found'],
    ],
  )
  const { agreed, alone } = PANEL_COLOURS
  assert.deepEqual(
    panels[1]!.boxes.map(({ colour, dashed }) => [colour, dashed]),
    [
      [agreed, undefined],
      [alone, undefined],
      [alone, true],
    ],
  )
  const [single] = panelsOf({ name: 'a', found: [found[0]!] }, ['teacher'], CLASSES)
  assert.equal(single!.description, 'car 0.90; bus 0.80')
  const [, beside] = panelsOf({ name: 'a', truths, found: [found[1]!] }, ['student'], CLASSES)
  assert.equal(beside!.description, 'car 0.90; car 0.40, wrong; bus, missed; car, missed')
})

test('the table counts objects by who finds them, and boxes without a truth by who draws them', () => {
  assert.deepEqual(agreementTable([{ truths, found }], MODELS, CLASSES), [
    {
      ...{ class: 'car', objects: 2, 'both find': 1, 'only teacher': 0, 'only student': 0, neither: 1 },
      ...{ 'wrong boxes, teacher': 0, 'wrong boxes, student': 1 },
    },
    {
      ...{ class: 'bus', objects: 1, 'both find': 0, 'only teacher': 1, 'only student': 0, neither: 0 },
      ...{ 'wrong boxes, teacher': 0, 'wrong boxes, student': 0 },
    },
    {
      ...{ class: 'all', objects: 3, 'both find': 1, 'only teacher': 1, 'only student': 0, neither: 1 },
      ...{ 'wrong boxes, teacher': 0, 'wrong boxes, student': 1 },
    },
  ])
  assert.deepEqual(agreementTable([{ found }], MODELS, CLASSES), [
    { class: 'car', both: 1, 'only teacher': 0, 'only student': 1 },
    { class: 'bus', both: 0, 'only teacher': 1, 'only student': 0 },
    { class: 'all', both: 1, 'only teacher': 1, 'only student': 1 },
  ])
  assert.deepEqual(agreementTable([{ found: [[]] }], ['teacher'], CLASSES), [])
})

const grey = { width: 100, height: 50, pixels: new Uint8Array(3 * 100 * 50).fill(100) }

test('a picture has a panel for each, with the boxes where they are', async () => {
  const panels = panelsOf({ name: 'a', found }, MODELS, CLASSES)
  const picture = await drawPanels([{ image: grey, panels }], CLASSES, {
    ...{ width: 400, columns: 2 },
    meanings: meaningsOf({ models: 2, hasTruth: false }),
  })
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true })
  assert.deepEqual([info.width, info.height, info.channels], [8 + 2 * 408, 24 + 200 + 8 + 24, 3])
  const at = (x: number, y: number) => [
    ...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3),
  ]
  const colour = (hex: string) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16))
  // The bus of the teacher, x 30 to 40: its left edge at 8 + 4 * 30, in the middle of its height.
  assert.deepEqual(at(8 + 120, 24 + 20), colour(PANEL_COLOURS.alone))
  assert.deepEqual(at(8 + 200, 24 + 100), [100, 100, 100])
  // The car of the student: 408 further, half a pixel of the image to the right.
  assert.deepEqual(at(8 + 408 + 2, 24 + 20), colour(PANEL_COLOURS.agreed))
})

test('the page escapes names, says every panel in words, and holds each image once', async () => {
  const classes = ['<b>&"car', 'bus']
  const shown = await exhibit({ name: '<script>alert(1)</script>.png', image: grey, truths, found }, 0, {
    models: MODELS,
    classes,
  })
  const html = comparisonPage({
    ...{ title: 'a & b', models: MODELS, score: 0.3, hasTruth: true, images: 2 },
    ...{ agreement: agreementTable([{ truths, found }], MODELS, classes), exhibits: [shown], notes: ['<i>'] },
  })
  assert.doesNotMatch(html, /<script|<b>&|<i>/)
  assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt;\.png · 2 boxes differ/)
  assert.match(html, /aria-label="teacher: &lt;b&gt;&amp;&quot;car 0\.90; bus 0\.80, only here, right/)
  assert.match(html, /1 of 2 images/)
  const [jpeg, ...others] = [...html.matchAll(/data:image\/jpeg;base64,([^)]+)/g)].map(([, text]) => text!)
  assert.deepEqual(others, [])
  const { width, height } = await sharp(Buffer.from(jpeg!, 'base64')).metadata()
  assert.deepEqual([width, height], [560, 280])
})
