/** Files of detections as programs write them: recognised, or refused with what to say. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { doubts, evaluateVoc, readEvaluation, vocAtIous } from '../../lib/evaluate'
import { coco, folderOf, LINE } from '../data/sets/small'

/** Two images with a car at 24,12 to 40,36 of 64 x 48 in YOLO's notation, and detections beside them. */
const yolo = (detections: Record<string, string>, classes = 'car\nbus\n') =>
  folderOf({
    'set/images/a.png': 'image',
    'set/images/b.png': 'image',
    'set/labels/a.txt': LINE,
    'set/labels/b.txt': LINE,
    'set/classes.txt': classes,
    ...Object.fromEntries(Object.entries(detections).map(([name, text]) => [`found/${name}`, text])),
  })
const read = async (folder: string, file = 'found', options = {}) =>
  readEvaluation({ truth: join(folder, 'set/labels'), detections: join(folder, file), ...options })
const mAP = async (folder: string, file?: string, options = {}) => {
  const { truths, detections } = await read(folder, file, options)
  return evaluateVoc(truths, detections).mAP
}

test('columns that are not given are the default, or the only order that fits every line', async () => {
  for (const [line, order] of [
    ['0 0.5 0.5 0.25 0.5 0.9', undefined],
    ['0 0.9 0.5 0.5 0.25 0.5', 'class score cx cy w h'],
    ['0 0.9 24 12 40 36\n0 0.1 50 30 60 44', 'class score x1 y1 x2 y2'],
    ['24 12 40 36 0.9 0\n50 30 60 44 0.1 0', 'x1 y1 x2 y2 score class'],
  ] as const) {
    const folder = await yolo({ 'a.txt': `${line}\n`, 'b.txt': `${line}\n` })
    const { truths, detections, notes } = await read(folder)
    assert.equal(evaluateVoc(truths, detections).mAP, 1, line)
    assert.deepEqual(notes.length, order === undefined ? 0 : 1)
    if (order) assert.match(notes[0]!, new RegExp(`columns read as "${order}"`))
  }
  // Fractions where pixels are the default.
  const folder = await folderOf({
    'truth.json': coco(['a.png', 'b.png']),
    'found/a.txt': 'car 0.5 0.5 0.25 0.5 0.9\n',
    'found/b.txt': 'car 0.5 0.5 0.25 0.5 0.8\n',
  })
  const data = await readEvaluation({ truth: join(folder, 'truth.json'), detections: join(folder, 'found') })
  assert.equal(evaluateVoc(data.truths, data.detections).mAP, 1)
  assert.match(data.notes.join(), /columns read as "class cx cy w h score"/)
  // Ambiguous lines are refused, and so are lines without a score.
  const two = await yolo({ 'a.txt': '0 0.9 10 10 40 20\n' })
  await assert.rejects(
    read(two),
    /whose score would be 20; they may be "class score x1 y1 x2 y2" or "class score x y w h"; say what they are with --columns/,
  )
  assert.equal((await read(two, 'found', { columns: 'class score x y w h' })).detections.box[2], 50)
  await assert.rejects(
    read(await yolo({ 'a.txt': LINE })),
    /no score \(Ultralytics writes it with save_conf=True\)/,
  )
})

test('class numbers are looked up in a list beside the detections', async () => {
  const swapped = await yolo({
    'a.txt': '1 0.5 0.5 0.25 0.5 0.9\n',
    'b.txt': '1 0.5 0.5 0.25 0.5 0.9\n',
    'classes.txt': 'bus\ncar\n',
  })
  assert.equal(await mAP(swapped), 1)
  const foreign = await yolo({ 'a.txt': '1 0.5 0.5 0.25 0.5 0.9\n', 'classes.txt': 'bus\ntram\n' })
  await assert.rejects(
    read(foreign),
    /a\.txt:1: unknown class: expected one of the truths' classes \(car, bus\), found tram/,
  )
})

test("Ultralytics' predictions.json: images by name, classes counted from 0 or 1", async () => {
  const predictions = (first: number, ids: readonly number[]) =>
    JSON.stringify(
      ids.map((category_id, i) => ({
        image_id: 'ab'[i % 2],
        category_id: category_id + first,
        bbox: [24, 12, 16, 24],
        score: 0.9,
      })),
    )
  const folder = await yolo({
    'zero.json': predictions(0, [0, 0, 1]),
    'one.json': predictions(1, [0, 0, 1]),
    'open.json': predictions(1, [0, 0]),
  })
  for (const file of ['zero.json', 'one.json']) assert.equal(await mAP(folder, `found/${file}`), 1, file)
  await assert.rejects(
    mAP(folder, 'found/open.json'),
    /whether they count from 0 or from 1, found neither; say it with --first-class 0 or --first-class 1/,
  )
  assert.equal(await mAP(folder, 'found/open.json', { firstClass: 1 }), 1)
})

test("Darknet's -out, and its printed output", async () => {
  const object = {
    class_id: 0,
    name: 'car',
    relative_coordinates: { center_x: 0.5, center_y: 0.5, width: 0.25, height: 0.5 },
    confidence: 0.9,
  }
  const folder = await yolo({
    'out.json': JSON.stringify(
      ['a', 'b'].map((name, i) => ({ frame_id: i + 1, filename: `data/obj/${name}.png`, objects: [object] })),
    ),
    'result.txt': ['a', 'b']
      .map(
        (name) =>
          `Enter Image Path: data/obj/${name}.png: Predicted in 12.345000 milli-seconds.\ncar: 98%\t(left_x:   24   top_y:   12   width:   16   height:   24)\n`,
      )
      .join(''),
  })
  assert.equal(await mAP(folder, 'found/out.json'), 1)
  assert.equal(await mAP(folder, 'found/result.txt'), 1)
})

test('images of one name in two folders are told apart, or refused', async () => {
  const folder = await folderOf({
    'set/images/train/a.png': 'image',
    'set/images/val/a.png': 'image',
    'set/labels/train/a.txt': LINE,
    'set/labels/val/a.txt': LINE,
    'set/classes.txt': 'car\n',
    'found/train/a.txt': '0 0.5 0.5 0.25 0.5 0.9\n',
    'found/val/a.txt': '0 0.5 0.5 0.25 0.5 0.9\n',
    'flat/a.txt': '0 0.5 0.5 0.25 0.5 0.9\n',
  })
  assert.equal(await mAP(folder), 1)
  await assert.rejects(
    mAP(folder, 'flat'),
    /a\.txt: missing image: expected the name of one image with truths, found a, which may be/,
  )
  // A whole data set is a truth too, all of it or one split.
  const paths = { truth: join(folder, 'set'), detections: join(folder, 'found/val') }
  const { truths } = await readEvaluation({ ...paths, split: 'validation' })
  assert.equal(truths.images, 1)
})

test('a result in which nothing matches says so', async () => {
  const far = await yolo({ 'a.txt': '0 0.1 0.1 0.1 0.1 0.9\n', 'b.txt': '0 0.1 0.1 0.1 0.1 0.9\n' })
  const said = async (folder: string) => {
    const { truths, detections, classes } = await read(folder)
    return doubts(truths, detections, classes).join()
  }
  assert.match(await said(far), /no detection lies on any truth by IoU 0\.5/)
  const other = await yolo({ 'a.txt': '1 0.5 0.5 0.25 0.5 0.9\n', 'b.txt': '1 0.5 0.5 0.25 0.5 0.9\n' })
  assert.match(
    await said(other),
    /but 2 lie on truths of other classes: are the classes \(car, bus\) in another order\?/,
  )
  const single = await yolo({ 'a.txt': '0 0.5 0.5 0.25 0.5 0.9\n' })
  assert.match(await said(single), /detections are there for 1 images, truths for 2/)
  assert.equal(
    await said(await yolo({ 'a.txt': '0 0.5 0.5 0.25 0.5 0.9\n', 'b.txt': '0 0.5 0.5 0.25 0.5 0.9\n' })),
    '',
  )
})

test("VOC's mAP at any IoU thresholds", async () => {
  // 16 x 24 against 16 x 16 within it: IoU 2/3.
  const { truths, detections } = await read(
    await yolo({ 'a.txt': '0 0.5 0.41666667 0.25 0.33333333 0.9\n', 'b.txt': '0 0.5 0.5 0.25 0.5 0.8\n' }),
  )
  const found = vocAtIous(truths, detections, [0.3, 0.66, 0.67, 0.99])
  assert.deepEqual(
    found.map(({ iou, mAP: value }) => [iou, value]),
    [
      [0.3, 1],
      [0.66, 1],
      [0.67, 0.25],
      [0.99, 0.25],
    ],
  )
  for (const { iou, mAP: value } of found)
    assert.equal(value, evaluateVoc(truths, detections, { iouThreshold: iou }).mAP)
})
