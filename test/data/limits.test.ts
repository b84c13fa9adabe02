import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Box, describeLost, lostBoxes, type Sample, studyLimits, tabulateClasses } from '../../lib/data'

const box = (label: number, [x1, y1, x2, y2] = [10, 20, 30, 40]): Box => ({
  ...{ x1: x1!, y1: y1!, x2: x2!, y2: y2! },
  label,
})
const images = (count: number, ...boxes: Box[]): Sample[] =>
  Array.from({ length: count }, (_, i) => ({ id: `i${i}`, file: '', width: 64, height: 48, boxes }))

test('boxes removed by crop and size are reported by split and class', () => {
  const classes = ['car', 'light']
  const splits = {
    // Rows 24 to 48 are kept: of the second box nothing, of the third a quarter, of the first four fifths.
    train: images(2, box(0), box(1, [0, 0, 10, 10]), box(1, [0, 18, 10, 26])),
    validation: images(1, box(1, [40, 30, 43, 44])),
  }
  const seen = { input: [12, 16] as const, crop: [0, 0.5, 1, 1] as const }
  assert.deepEqual(lostBoxes({ classes, splits }, seen), [
    { split: 'train', class: 'light', boxes: 4, cropped: 4, small: 0 },
    { split: 'validation', class: 'light', boxes: 1, cropped: 0, small: 1 },
  ])
  assert.deepEqual(lostBoxes({ classes, splits }, seen).map(describeLost), [
    'train: the crop removes all 4 boxes of light',
    "validation: all 1 boxes of light are less than a pixel of the network's input",
  ])
  assert.deepEqual(lostBoxes({ classes, splits }, { input: [48, 64] }), [])
})

test('anything a study lacks is named with the number found and the key that changes it', () => {
  const needs = { input: [48, 64] as const, batch: 8, labelled: 300, tested: true }
  const limits = (splits: Parameters<typeof studyLimits>[0]['splits'], more = {}) =>
    studyLimits({ classes: ['car'], splits }, { ...needs, ...more })
  const sound = { train: images(32, box(0)), validation: images(4, box(0)), test: images(4, box(0)) }
  assert.deepEqual(limits(sound), [])
  assert.match(
    limits({ ...sound, train: images(7, box(0)) }).join(),
    /recipe\.batch = 8 images, one step's worth, found 7; add images or make recipe\.batch 7/,
  )
  assert.match(
    limits({ ...sound, train: images(20, box(0)) }).join(),
    /a quarter of the 20 training images makes a step of recipe\.batch = 8 images, found 5; .*side\.labelled or make recipe\.batch 5/,
  )
  assert.deepEqual(limits({ ...sound, train: images(20, box(0)) }, { labelled: undefined }), [])
  assert.match(limits({ train: sound.train }).join('\n'), /^validation: .*found none.*\ntest: .*found none/)
  assert.deepEqual(limits({ train: sound.train, validation: sound.validation }, { tested: false }), [])
  assert.match(limits({ ...sound, test: images(3) }).join(), /test: expected boxes, found none in 3 images/)
  assert.match(
    limits(sound, { crop: [0, 0.9, 1, 1] }).join('\n'),
    /^train: expected boxes that the network sees, found that crop = \[0, 0\.9, 1, 1\] removes all 32; change crop/,
  )
})

test('classes are counted by split: objects, images, sizes', () => {
  const splits = {
    train: [...images(2, box(0), box(0, [0, 0, 40, 40])), ...images(1)],
    unlabelled: [{ ...images(1)[0]!, boxes: undefined }],
  }
  assert.deepEqual(tabulateClasses({ classes: ['car', 'light'], splits }), [
    { class: 'car', split: 'train', objects: 4, images: 2, sizes: { small: 2, medium: 2, large: 0 } },
    { class: 'light', split: 'train', objects: 0, images: 0, sizes: { small: 0, medium: 0, large: 0 } },
  ])
})
