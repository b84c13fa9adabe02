import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  complexity,
  darknet21,
  layerMacs,
  layerParameters,
  layersOf,
  type NetworkSpec,
  STUDENT_WIDTHS,
  scaledWidths,
  TEACHER_WIDTHS,
} from '../../lib/detector'
import oracle from './oracle/network.json'
import { narrowConfig, narrowDetector } from './support'

const teacher = darknet21()
const student = darknet21(STUDENT_WIDTHS)

test('the teacher counts 8,453,406,720 MACs and 27,256,917 parameters', () => {
  const { macs, macsByPart, parameters } = complexity(teacher)
  assert.equal(macs, 8_453_406_720)
  assert.deepEqual(macsByPart, { backbone: 5_873_074_176, neck: 1_887_436_800, head: 692_895_744 })
  assert.equal(parameters, 27_256_917)
})

test('the student counts 3,909,417,216 MACs and 12,130,491 parameters', () => {
  const { macs, macsByPart, parameters } = complexity(student)
  assert.equal(macs, 3_909_417_216)
  assert.deepEqual(macsByPart, { backbone: 1_459_239_168, neck: 1_757_282_304, head: 692_895_744 })
  assert.equal(parameters, 12_130_491)
})

test('mmdetection rules give the published 8.5 G and 3.94 G', () => {
  assert.equal((complexity(teacher).mmdet / 1e9).toFixed(3), '8.496')
  assert.equal((complexity(student).mmdet / 1e9).toFixed(3), '3.940')
})

test('mmdetection rules, term by term on the stem and the last layer', () => {
  // A stem of 1x1 input cells cannot exist; take differences between two detectors that differ in their classes only.
  const one = complexity(darknet21(TEACHER_WIDTHS, { classes: 1 }))
  const two = complexity(darknet21(TEACHER_WIDTHS, { classes: 2 }))
  // 3 more channels on 6x16, 12x32 and 24x64 cells: MACs from 512, 256, 128 channels, and one bias addition each.
  const macs = 3 * (6 * 16 * 512 + 12 * 32 * 256 + 24 * 64 * 128)
  assert.equal(two.macs - one.macs, macs)
  assert.equal(two.mmdet - one.mmdet, macs + 3 * (6 * 16 + 12 * 32 + 24 * 64))
  // SPP costs the pools' input elements and a wider 1x1 convolution.
  const without = complexity(darknet21(TEACHER_WIDTHS, { classes: 1, spp: false }))
  assert.equal(one.mmdet - without.mmdet, 3 * 6 * 16 * 512 + 3 * 512 * 512 * 6 * 16)
})

test('every layer counts what PyTorch measures while it runs the same network', () => {
  const rows = (network: NetworkSpec) =>
    layersOf(network).layers.map((layer) => [
      [layer.in, ...layer.inputSize],
      [layer.out, ...layer.outputSize],
      layerMacs(layer),
      layerParameters(layer),
    ])
  assert.deepEqual(rows(teacher), oracle.layers.teacher)
  assert.deepEqual(rows(student), oracle.layers.student)
})

test('inputs of any multiple of 32 and any number of classes have their shapes', () => {
  for (const input of [
    [32, 32],
    [64, 416],
    [608, 96],
  ] as const) {
    for (const classes of [1, 20, 80]) {
      const { layers } = layersOf(narrowDetector({ input, classes }))
      const outputs = layers.filter((layer) => layer.head)
      assert.deepEqual(
        outputs.map((layer) => [...layer.outputSize, layer.out]),
        [32, 16, 8].map((stride) => [input[0] / stride, input[1] / stride, 3 * (5 + classes)]),
      )
    }
  }
})

test('a config that describes no network is refused by its key', () => {
  const refused = (change: object, message: RegExp) => assert.throws(() => narrowDetector(change), message)
  for (const height of [48, 0, -32, 64.5, Number.NaN]) {
    refused({ input: [height, 64] }, /darknet21: at "input\[0\]": .*, found (-?[\d.]+|NaN)$/)
  }
  refused({ input: [64, 48] }, /"input\[1\]": expected a multiple of 32 pixels, found 48/)
  refused({ classes: 0 }, /"classes": expected a number above 0, found 0/)
  refused({ classes: 2.5 }, /"classes": expected a whole number, found 2\.5/)
  refused({ upsample: 'bilinear' }, /"upsample": expected one of deconv, nearest, found "bilinear"/)
  refused({ neck: [8, 6] }, /"neck": expected at least 3 entries, found \[8,6\]/)
  refused({ anchors: [[[1, 1]]] }, /"anchors": expected exactly 3 entries/)
  refused({ depth: 3 }, /"depth": unknown key/)
  const { backbone } = narrowConfig()
  refused(
    { backbone: { ...backbone, mid: [1, 2, 3] } },
    /"backbone\.mid": expected exactly 7 entries, found \[1,2,3\]/,
  )
  refused(
    { backbone: { ...backbone, in: [4, 9, 9, 9, 9] } },
    /"backbone": expected every stage to take what the one before gives/,
  )
})

test('MACs grow with the input area, parameters do not', () => {
  const small = complexity(darknet21(STUDENT_WIDTHS, { input: [96, 256] }))
  assert.equal(small.macs * 4, complexity(student).macs)
  assert.equal(small.parameters, complexity(student).parameters)
})

test('nearest upsampling drops the two deconvolutions', () => {
  const nearest = complexity(darknet21(TEACHER_WIDTHS, { upsample: 'nearest' }))
  assert.equal(complexity(teacher).macs - nearest.macs, 4 * 256 * 256 * 6 * 16 + 4 * 128 * 128 * 12 * 32)
  assert.equal(
    complexity(teacher).parameters - nearest.parameters,
    4 * 256 * 256 + 2 * 256 + 4 * 128 * 128 + 2 * 128,
  )
})

test('a scaled detector rounds its widths to even numbers', () => {
  const { backbone, neck } = scaledWidths(0.1)
  assert.deepEqual(backbone.in, [4, 6, 12, 26, 52])
  assert.deepEqual(neck, [52, 26, 12])
})
