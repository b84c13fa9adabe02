import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countBoxes, type Dataset, type Sample } from '../../lib/data'

const sample = (id: string, labels: number[] | undefined): Sample => ({
  id,
  file: `/nowhere/${id}`,
  width: 8,
  height: 8,
  boxes: labels?.map((label) => ({ x1: 0, y1: 0, x2: 1, y2: 1, label })),
})

test('boxes are counted by split and class; unlabelled images have none', () => {
  const dataset: Dataset = {
    name: 'few',
    classes: ['car', 'bus', 'sign'],
    hash: '',
    splits: {
      train: [sample('a', [0, 0, 2]), sample('b', [])],
      test: [sample('c', [1])],
      unlabelled: [sample('d', undefined)],
    },
  }
  assert.deepEqual(countBoxes(dataset), [
    { split: 'train', images: 2, boxes: [2, 0, 1] },
    { split: 'test', images: 1, boxes: [0, 1, 0] },
    { split: 'unlabelled', images: 1, boxes: undefined },
  ])
})
