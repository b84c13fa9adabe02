import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Box } from '../../lib/data/types'
import { type AssignOptions, assignTargets, TARGET_CHANNELS, type Targets } from '../../lib/losses'
import oracle from './oracle/assign.json'
import { denseTargets } from './support'

const ANCHORS = oracle.anchors as [number, number][][]
const config = { input: [96, 160] as const, classes: 3, anchors: ANCHORS, strides: [32, 16, 8] }

const centred = (x: number, y: number, w: number, h: number, label = 0): Box => ({
  x1: x - w / 2,
  y1: y - h / 2,
  x2: x + w / 2,
  y2: y + h / 2,
  label,
})

/** Every slot that is not a plain negative, as "image scale row column anchor" -> values. */
function special(targets: Targets): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const [s, { shape, data }] of denseTargets(targets).entries()) {
    const [n, h, w, anchors] = shape
    let at = 0
    for (let image = 0; image < n; image++) {
      for (let row = 0; row < h; row++) {
        for (let column = 0; column < w; column++) {
          for (let anchor = 0; anchor < anchors; anchor++, at += TARGET_CHANNELS) {
            const values = [...data.slice(at, at + TARGET_CHANNELS)]
            if (String(values) !== '0,1,0,0,0,0,0') {
              found.set([image, s, row, column, anchor].join(' '), values)
            }
          }
        }
      }
    }
  }
  return found
}

test('assignment equals the naive oracle in every slot, for every switch', () => {
  const lists = oracle.truths as { [name: string]: Box[] }
  assert.equal(oracle.cases.length, 75)
  for (const { name, options, positives, ignored } of oracle.cases) {
    const o = options as { [key: string]: number | boolean | undefined }
    const truths = lists[name]!
    const targets = assignTargets([truths], config, {
      ...(o.multi_anchor === true && { multiAnchor: true }),
      ...(o.cross_grid === true && { crossGrid: true }),
      ...(typeof o.multi_anchor_threshold === 'number' && { multiAnchorThreshold: o.multi_anchor_threshold }),
      ...(typeof o.ignore_threshold === 'number' && { ignoreThreshold: o.ignore_threshold }),
    })
    const expected = new Map<string, number[]>()
    for (const [s, row, column, anchor, index] of positives) {
      const { x1, y1, x2, y2, label } = truths[index!]!
      expected.set([0, s, row, column, anchor].join(' '), [1, 0, ...[x1, y1, x2, y2].map(Math.fround), label])
    }
    for (const slot of ignored) expected.set([0, ...slot].join(' '), [0, 0, 0, 0, 0, 0, 0])
    const found = special(targets)
    const sorted = (map: Map<string, number[]>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(sorted(found), sorted(expected), `${name} ${JSON.stringify(options)}`)
  }
})

// Truth (52, 37)-(76, 55) has the first anchor's size, but its centre (64, 46) lies on the edge of columns 1 and 2 of
// stride 32 and belongs to column 2, row 1, centre (80, 48). There 24x18 overlaps by 8 x 16 = 128 of 432 + 432 - 128,
// IoU 0.174; 43x32 by 17.5 x 18 = 315 of 432 + 1376 - 315, IoU 0.211; 98x75 contains the truth, 432 / 7350 = 0.059.
// Stride 16, cell (4, 2), centre (72, 40): 17x9 by 12.5 x 7.5 = 93.75 of 432 + 153 - 93.75, 0.191; 12x15 by
// 10 x 10.5 = 105 of 432 + 180 - 105, 0.207. Stride 8: 5x11 at (68, 44) inside, 55 / 432 = 0.127.
test('the best slot is the one whose anchor box overlaps the truth most, by hand', () => {
  const targets = assignTargets([[centred(64, 46, 24, 18, 2)]], config)
  assert.deepEqual([...special(targets)], [['0 0 1 2 1', [1, 0, 52, 37, 76, 55, 2]]])
})

// A 24x18 truth at (48 + d, 16): overlap (24 - d) * 18, IoU (24 - d) / (24 + d), above 0.7 for d < 72/17 = 4.235.
// The difficult truth is no object, so the slot is ignored or negative.
test('slots are ignored strictly above the threshold, by hand', () => {
  const ignored = (d: number) =>
    [
      ...special(assignTargets([[{ ...centred(48 + d, 16, 24, 18), difficult: true }]], config)).keys(),
    ].includes('0 0 0 1 0')
  assert.equal(ignored(0), true)
  assert.equal(ignored(4.2), true)
  assert.equal(ignored(4.3), false)
  // IoU exactly 0.5 at d = 8.
  const at = (ignoreThreshold: number) =>
    special(assignTargets([[{ ...centred(56, 16, 24, 18), crowd: true }]], config, { ignoreThreshold }))
  assert.equal(at(0.5).has('0 0 0 1 0'), false)
  assert.equal(at(0.499).has('0 0 0 1 0'), true)
})

test('of two truths that compete for a slot the later one gets it, and best slots beat secondary ones', () => {
  const rivals = [centred(48, 48, 24, 18, 1), centred(48, 48, 24, 18, 2)]
  const slot = (truths: Box[], options: AssignOptions, key: string) =>
    special(assignTargets([truths], config, options)).get(key)?.[6]
  assert.equal(slot(rivals, {}, '0 0 1 1 0'), 2)
  assert.equal(slot([...rivals].reverse(), {}, '0 0 1 1 0'), 1)
  // 26x20 at (81, 48) is best in column 2 of stride 32; its fx 0.53 reaches for column 3, not for column 1, whose slot
  // belongs to the first truth; moved to 79, fx 0.47 reaches for column 1 but must not overwrite a best slot.
  const left = [centred(48, 48, 24, 18, 1), centred(79, 48, 24, 18, 2)]
  assert.equal(slot(left, { crossGrid: true }, '0 0 1 1 0'), 1)
  assert.equal(slot(left.slice(1), { crossGrid: true }, '0 0 1 1 0'), 2)
  assert.equal(slot(left.slice(1), { crossGrid: true }, '0 0 1 3 0'), undefined)
})

test('an unlabelled image is neither positive nor negative, an empty one negative everywhere', () => {
  const targets = assignTargets([undefined, [], [centred(48, 48, 24, 18)]], config)
  for (const { shape, data } of denseTargets(targets)) {
    const size = data.length / shape[0]
    assert.ok(data.slice(0, size).every((value) => value === 0))
    assert.ok(data.slice(size, 2 * size).every((value, i) => value === (i % TARGET_CHANNELS === 1 ? 1 : 0)))
  }
})

test('a label outside the classes and a corner that is not finite are errors that name the box', () => {
  assert.throws(
    () => assignTargets([[], [centred(1, 1, 2, 2, 3)]], config),
    /image 1, box 0: expected a label in 0\.\.2/,
  )
  for (const x of [Number.NaN, Number.POSITIVE_INFINITY, 2e9]) {
    assert.throws(
      () => assignTargets([[centred(x, 1, 2, 2)]], config),
      /image 0, box 0: expected finite corners within 1000000000 pixels/,
    )
  }
  assert.throws(
    () => assignTargets([[]], { ...config, input: [96, 100] }),
    /expected an input of multiples of 32 pixels, found \[96,100\]/,
  )
})

test('a truth without area in float32 is skipped like one without any', () => {
  const sliver: Box = { x1: 100, y1: 20, x2: 100 + 1e-9, y2: 40, label: 0 }
  assert.deepEqual([...special(assignTargets([[sliver]], config))], [])
})
