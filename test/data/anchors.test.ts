import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitAnchors } from '../../lib/data/anchors'
import type { Sample } from '../../lib/data/types'

/** Boxes of 9 well-separated sizes, each size with a neighbour one pixel wider and one narrower. */
const sizes = [
  [10, 4],
  [5, 16],
  [30, 10],
  [24, 60],
  [60, 24],
  [120, 50],
  [64, 150],
  [200, 90],
  [180, 180],
] as const
const sample = (boxes: Sample['boxes']): Sample => ({
  id: 'a',
  file: '/a.jpg',
  width: 640,
  height: 400,
  boxes,
})
const box = (w: number, h: number) => ({ x1: 100, y1: 100, x2: 100 + w, y2: 100 + h, label: 0 })
const samples = [sample(sizes.flatMap(([w, h]) => [box(w - 1, h), box(w, h), box(w + 1, h)]))]

test('clusters of sizes become the anchors, the largest on stride 32', () => {
  const { anchors, meanIou } = fitAnchors(samples, { input: [400, 640] })
  const round = anchors.map((scale) => scale.map(([w, h]) => [Math.round(w), Math.round(h)]))
  assert.deepEqual(round, [
    [
      [180, 180],
      [200, 90],
      [64, 150],
    ],
    [
      [120, 50],
      // 24x60 and 60x24 have the same area
      ...(round[1]?.[1]?.[0] === 24
        ? [
            [24, 60],
            [60, 24],
          ]
        : [
            [60, 24],
            [24, 60],
          ]),
    ],
    [
      [30, 10],
      [5, 16],
      [10, 4],
    ],
  ])
  // Two boxes in three are one pixel off: (w - 1) / w and w / (w + 1).
  const expected = sizes.reduce((sum, [w]) => sum + (1 + (w - 1) / w + w / (w + 1)) / 3, 0) / sizes.length
  assert.ok(Math.abs(meanIou - expected) < 1e-12)
})

test('sizes are taken at the input, after crop and resize', () => {
  const { anchors } = fitAnchors(samples, { input: [200, 320], scales: 1, perScale: 9 })
  assert.deepEqual(
    anchors[0]?.map(([w, h]) => Math.round(w * 2) * Math.round(h * 2)),
    sizes.map(([w, h]) => w * h).sort((a, b) => b - a),
  )
  // Rows 100 .. 300 are kept: a box of rows 100 .. 280 keeps its size, and the height is doubled by the stretch.
  const cropped = fitAnchors([sample([box(64, 180)])], {
    input: [400, 640],
    crop: [0, 0.25, 1, 0.75],
    scales: 1,
    perScale: 1,
  })
  assert.deepEqual(cropped, { anchors: [[[64, 360]]], meanIou: 1 })
})

test('one seed, one result', () => {
  assert.deepEqual(fitAnchors(samples, { input: [400, 640] }), fitAnchors(samples, { input: [400, 640] }))
})

test('fewer sizes than anchors: each is an anchor, and the others surround them', () => {
  const { anchors, meanIou } = fitAnchors([sample([box(16, 24), box(16, 24)])], { input: [400, 640] })
  assert.equal(meanIou, 1)
  assert.deepEqual(
    anchors.flat().map(([w, h]) => [w, h].map((side) => Math.round(side))),
    [
      [64, 96],
      [45, 68],
      [32, 48],
      [23, 34],
      [16, 24],
      [11, 17],
      [8, 12],
      [6, 8],
      [4, 6],
    ],
  )
  const two = fitAnchors([sample([box(16, 24), box(100, 50)])], { input: [400, 640], scales: 1 })
  assert.deepEqual(
    two.anchors.flat().map(([w]) => Math.round(w)),
    [141, 100, 16],
  )
  assert.throws(
    () => fitAnchors([sample([])], { input: [400, 640] }),
    /expected boxes at the network's input, found none in 1 images; look at crop, or give detector\.anchors/,
  )
})
