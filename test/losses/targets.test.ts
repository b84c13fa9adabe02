/** Targets on the device: what is looked up in the table is what plain loops over all slots give, bit for bit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import type { Box } from '../../lib/data/types'
import { compile, type Tensor, tf } from '../../lib/engine'
import {
  type AssignOptions,
  assignTargets,
  lookUpTargets,
  type TargetInputs,
  targetInputs,
  targetTensors,
  yoloLoss,
} from '../../lib/losses'
import { denseTargets } from './support'

const [HEIGHT, WIDTH] = [64, 96]
const CONFIG = {
  input: [HEIGHT, WIDTH] as [number, number],
  classes: 3,
  strides: [32, 16, 8],
  scaleXY: [1.1, 1.1, 1.1],
  anchors: [
    [
      [40, 30],
      [30, 44],
    ],
    [[20, 14]],
    [
      [8, 8],
      [5, 12],
      [12, 6],
    ],
  ] as [number, number][][],
}

type Corners = readonly [number, number, number, number]
type Truths = readonly (readonly Box[] | undefined)[]
/** Scale, row, column, anchor. */
type Slot = readonly [number, number, number, number]

function iou(a: Corners, b: Corners): number {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0])
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1])
  if (w <= 0 || h <= 0) return 0
  return (w * h) / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)
}

const around = (x: number, y: number, [w, h]: readonly [number, number]): Corners => [
  x - w / 2,
  y - h / 2,
  x + w / 2,
  y + h / 2,
]

const cornersOf = ({ x1, y1, x2, y2 }: Box): Corners => [x1, y1, x2, y2]
const gridOf = (s: number) => [HEIGHT / CONFIG.strides[s]!, WIDTH / CONFIG.strides[s]!] as const

function slotBox([s, row, column, anchor]: Slot): Corners {
  const stride = CONFIG.strides[s]!
  return around((column + 0.5) * stride, (row + 0.5) * stride, CONFIG.anchors[s]![anchor]!)
}

/** The slots of every anchor at the cell of a truth's centre, of the first scale first. */
function slotsAt({ x1, y1, x2, y2 }: Box): Slot[] {
  return CONFIG.anchors.flatMap((anchors, s) => {
    const [rows, columns] = gridOf(s)
    const cell = (place: number, count: number) =>
      Math.min(Math.max(Math.floor(place / CONFIG.strides[s]!), 0), count - 1)
    return anchors.map((_, a): Slot => [s, cell((y1 + y2) / 2, rows), cell((x1 + x2) / 2, columns), a])
  })
}

/** Its neighbours across the nearer vertical and the nearer horizontal border, inside the grid. */
function neighbours([s, row, column, anchor]: Slot, { x1, y1, x2, y2 }: Box): Slot[] {
  const stride = CONFIG.strides[s]!
  const [rows, columns] = gridOf(s)
  const [fx, fy] = [(x1 + x2) / 2 / stride - column, (y1 + y2) / 2 / stride - row]
  const found: Slot[] = []
  if (fx !== 0.5) found.push([s, row, column + (fx < 0.5 ? -1 : 1), anchor])
  if (fy !== 0.5) found.push([s, row + (fy < 0.5 ? -1 : 1), column, anchor])
  return found.filter(([, r, c]) => r >= 0 && r < rows && c >= 0 && c < columns)
}

/** Values [n, h, w, anchors, 7] of each scale, written slot by slot. */
function byPlainLoops(truths: Truths, options: AssignOptions): Float32Array[] {
  const { ignoreThreshold = 0.7, multiAnchor, multiAnchorThreshold = 0.5, crossGrid } = options
  const values = CONFIG.anchors.map((anchors, s) => {
    const [rows, columns] = gridOf(s)
    return new Float32Array(truths.length * rows * columns * anchors.length * 7)
  })
  const at = (image: number, [s, row, column, anchor]: Slot) => {
    const [rows, columns] = gridOf(s)
    return (((image * rows + row) * columns + column) * CONFIG.anchors[s]!.length + anchor) * 7
  }
  const write = (image: number, slot: Slot, { weight = 1, x1, y1, x2, y2, label }: Box) => {
    const [own, from] = [values[slot[0]]!, at(image, slot)]
    if (weight > 0) own.set([weight, 0, x1, y1, x2, y2, label], from)
    else if (own[from] === 0) own[from + 1] = 0
  }
  for (const [image, boxes] of truths.entries()) {
    if (!boxes) continue
    for (const [s, anchors] of CONFIG.anchors.entries()) {
      const [rows, columns] = gridOf(s)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          for (let anchor = 0; anchor < anchors.length; anchor++) {
            const slot: Slot = [s, row, column, anchor]
            const isNear = boxes.some((box) => iou(slotBox(slot), cornersOf(box)) > ignoreThreshold)
            values[s]![at(image, slot) + 1] = isNear ? 0 : 1
          }
    }
    const objects = boxes.filter(({ difficult, crowd }) => !difficult && !crowd)
    const best = objects.map((box) => {
      const slots = slotsAt(box)
      const overlaps = slots.map((slot) => iou(slotBox(slot), cornersOf(box)))
      return slots[overlaps.indexOf(Math.max(...overlaps))]!
    })
    for (const [t, box] of objects.entries())
      for (const slot of slotsAt(box)) {
        const [w, h] = [box.x2 - box.x1, box.y2 - box.y1]
        const overlap = iou(around(0, 0, [w, h]), around(0, 0, CONFIG.anchors[slot[0]]![slot[3]]!))
        const isBest = String(slot) === String(best[t])
        if (!isBest && !(multiAnchor && overlap > multiAnchorThreshold)) continue
        write(image, slot, box)
        if (crossGrid) for (const beside of neighbours(slot, box)) write(image, beside, box)
      }
    for (const [t, box] of objects.entries()) write(image, best[t]!, box)
  }
  return values
}

const SWITCHES: readonly AssignOptions[] = [
  {},
  { multiAnchor: true, multiAnchorThreshold: 0.3 },
  { crossGrid: true, ignoreThreshold: 0.4 },
  { multiAnchor: true, crossGrid: true },
]

function assertSame(truths: Truths, what: string): void {
  for (const options of SWITCHES) {
    const targets = assignTargets(truths, CONFIG, options)
    const found = targetTensors(targets)
    const expected = byPlainLoops(truths, options)
    for (const [s, tensor] of found.entries()) {
      const name = `${what}, ${JSON.stringify(options)}, stride ${CONFIG.strides[s]}`
      const [rows, columns] = gridOf(s)
      assert.deepEqual(tensor.shape, [truths.length, rows, columns, CONFIG.anchors[s]!.length, 7], name)
      assert.deepEqual(tensor.dataSync(), expected[s], name)
      assert.deepEqual(denseTargets(targets)[s]!.data, expected[s], `${name}, in JavaScript`)
    }
    tf.dispose(found)
  }
}

/** Boxes of all sizes, some of them twice, beyond the frame, with a weight, difficult or a crowd. */
function draw(random: Random, count: number): Box[] {
  const boxes = Array.from({ length: count }, (): Box => {
    const [x, y] = [random.uniform(-10, WIDTH + 10), random.uniform(-10, HEIGHT + 10)]
    const [w, h] = [random.uniform(2, 60), random.uniform(2, 50)]
    const kind = random.integer(6)
    return {
      ...{ x1: x - w / 2, y1: y - h / 2, x2: x + w / 2, y2: y + h / 2, label: random.integer(3) },
      ...(kind === 0 && { weight: 0 }),
      ...(kind === 1 && { weight: random.uniform(0.1, 1) }),
      ...(kind === 2 && { difficult: true }),
      ...(kind === 3 && { crowd: true }),
    }
  })
  return boxes.flatMap((box) => (random.chance(0.25) ? [box, { ...box, label: 2 }] : [box]))
}

const box = (x1: number, y1: number, x2: number, y2: number, more: Partial<Box> = {}): Box => ({
  ...{ x1, y1, x2, y2, label: 0 },
  ...more,
})

const twice = box(20, 10, 60, 40)

test('drawn truths: the targets that are looked up equal plain loops, for every switch', () => {
  const random = new Random('targets')
  for (let batch = 0; batch < 12; batch++) {
    const truths = Array.from({ length: 3 }, () =>
      random.chance(0.15) ? undefined : draw(random, random.integer(10)),
    )
    assertSame(truths, `batch ${batch}`)
  }
})

for (const [what, truths] of Object.entries<Truths>({
  'no boxes': [[], []],
  'no labels': [undefined, undefined],
  'an image without labels between two with': [[twice], undefined, [box(4, 4, 12, 12)]],
  'two boxes in one slot, of which the later one gets it': [[twice, { ...twice, label: 1 }]],
  'the same the other way round': [[{ ...twice, label: 1 }, twice]],
  'a slot of two, the second without weight': [[twice, { ...twice, label: 1, weight: 0 }]],
  'a slot of two, the first without weight': [[{ ...twice, label: 1, weight: 0 }, twice]],
  'boxes whose centres are on the borders of cells': [[box(28, 28, 36, 36), box(56, 24, 72, 40)]],
  'boxes in the middle of cells': [[box(36, 36, 44, 44), box(28, 33, 68, 63)]],
  'boxes on and beyond the border of the frame': [
    [box(0, 0, 8, 8), box(88, 56, 96, 64), box(-30, 20, -10, 40), box(90, 60, 130, 90), box(-5, -5, 101, 69)],
  ],
  'a box in every slot of the finest scale, more than a table has at first': [
    Array.from({ length: 96 }, (_, i) => {
      const [x, y] = [8 * (i % 12), 8 * Math.floor(i / 12)]
      return box(x, y, x + 8, y + 8, { label: i % 3 })
    }),
  ],
}))
  test(`${what}: the targets that are looked up equal plain loops`, () => assertSame(truths, what))

test('no box is lost where there are many: the table grows to the next power of two', () => {
  const entries = (count: number, images: number) => {
    const boxes = Array.from({ length: count }, (_, i) => box(i, 0, i + 8, 8))
    const rest = Array.from({ length: images - 1 }, () => [])
    return assignTargets([boxes, ...rest], { ...CONFIG, input: [64, 32 * 40] }).table.length / 7
  }
  // Two entries are of slots without a truth.
  assert.deepEqual(
    [entries(0, 1), entries(62, 1), entries(63, 1), entries(127, 1), entries(126, 2), entries(0, 3)],
    [64, 64, 128, 256, 128, 256],
  )
})

test('batches of one size are looked up in one graph; loss and gradients have the bits that dense targets give', () => {
  const random = new Random('graph')
  const step = (lossOf: (logits: readonly tf.Tensor4D[]) => tf.Scalar, logits: readonly Tensor[]) => {
    const { value, grads } = tf.valueAndGrads((...maps) => lossOf(maps as tf.Tensor4D[]))([...logits])
    return [value, ...grads]
  }
  const options = { box: 'giou', normalise: 'positive' } as const
  const loss = (logits: readonly tf.Tensor4D[], targets: readonly tf.Tensor5D[]) =>
    yoloLoss(logits, targets, CONFIG, options, true).total
  const lookingUp = compile(
    (logits: readonly Tensor[], inputs: TargetInputs) => {
      const targets = lookUpTargets(inputs)
      return step((maps) => loss(maps, targets), logits)
    },
    { name: 'looking up' },
  )
  const dense = compile(
    (logits: readonly Tensor[], targets: readonly Tensor[]) =>
      step((maps) => loss(maps, targets as tf.Tensor5D[]), logits),
    { name: 'dense' },
  )
  const logits = CONFIG.anchors.map((anchors, s) => {
    const shape = [2, ...gridOf(s), anchors.length * 8] as [number, number, number, number]
    const size = shape.reduce((product, side) => product * side)
    return tf.tensor4d(
      Float32Array.from({ length: size }, () => random.normal()),
      shape,
    )
  })
  for (const count of [0, 1, 5, 30]) {
    const truths = [draw(random, count), draw(random, count)]
    const targets = assignTargets(truths, CONFIG, { multiAnchor: true, crossGrid: true })
    const inputs = targetInputs(targets)
    const values = denseTargets(targets).map(({ data, shape }) => tf.tensor5d(data, shape))
    const [found, expected] = [lookingUp(logits, inputs), dense(logits, values)]
    for (const [i, tensor] of found.entries())
      assert.deepEqual(tensor.dataSync(), expected[i]!.dataSync(), `${count} boxes, ${i}`)
    tf.dispose([inputs, values, found, expected])
  }
  assert.equal(lookingUp.graphs.length, 1)
  lookingUp.dispose()
  dense.dispose()
  tf.dispose(logits)
})
