/** How readers find out what the folder of a user holds: notations, class lists, companions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BOX, check, coco, folderOf, LINE, xml } from './sets/small'

test('a stray file of another notation is read if it is about another image', async () => {
  const { boxes, report } = await check(
    await folderOf({
      'images/a.png': 'image',
      'images/b.png': 'image',
      'labels/a.txt': LINE,
      'labels/b.xml': xml('b.png'),
      'labels/classes.txt': 'car\nbus\n',
    }),
  )
  assert.equal(report.format, 'yolo+voc')
  assert.deepEqual(boxes, { 'train/a': [BOX], 'train/b': [BOX] })
})

test('a stray file of numbers among labels with names is only a problem', async () => {
  const { boxes, problems } = await check(
    await folderOf({
      'JPEGImages/a.png': 'image',
      'JPEGImages/b.png': 'image',
      'Annotations/a.xml': xml('a.png'),
      'Annotations/b.txt': LINE,
    }),
  )
  assert.deepEqual(boxes, { 'train/a': [BOX] })
  assert.deepEqual(problems, [
    'Annotations/b.txt: unknown class: expected a list of class names for its numbers (classes.txt, or --classes FILE), found none',
  ])
})

test('two notations for the same images stop, and name both and the options', async () => {
  const folder = await folderOf({
    'annotations/instances_val2017.json': coco(['1.png']),
    'data.yaml': 'path: ../datasets/coco\ntrain: train2017.txt\nval: val2017.txt\nnames: [car]\n',
    'train2017.txt': './images/train2017/0.png\n',
    'val2017.txt': './images/val2017/1.png\n',
    'images/train2017/0.png': 'image',
    'images/val2017/1.png': 'image',
    'labels/train2017/0.txt': LINE,
    'labels/val2017/1.txt': LINE,
  })
  await assert.rejects(
    check(folder),
    /YOLO \(labels\/val2017\/1\.txt; 2 images; --format yolo\) and COCO \(annotations\/instances_val2017\.json; 1 image; --format coco\) for the same image/,
  )
  const yolo = await check(folder, { format: 'yolo' })
  assert.deepEqual(yolo.boxes, { 'train/train2017/0': [BOX], 'validation/val2017/1': [BOX] })
  assert.deepEqual(yolo.leftOut, ['1 labels in COCO, not asked for with --format'])
  // If the other is about another split it is merged.
  const merged = await check(
    await folderOf({
      'annotations/instances_val.json': coco(['1.png']),
      'images/train/0.png': 'image',
      'images/val/1.png': 'image',
      'labels/train/0.txt': LINE,
      'classes.txt': 'car\n',
    }),
  )
  assert.deepEqual(merged.boxes, { 'train/train/0': [BOX], 'validation/val/1': [BOX] })
})

test('two folders of labels for the same images stop too', async () => {
  const folder = await folderOf({
    'images/a.png': 'image',
    'labels/a.txt': LINE,
    'labels_old/a.txt': LINE,
    'classes.txt': 'car\n',
  })
  await assert.rejects(
    check(folder),
    /labels\/a\.txt and labels_old\/a\.txt .*choose with --annotations labels or --annotations labels_old/,
  )
  assert.deepEqual((await check(folder, { annotations: 'labels' })).leftOut, [
    '1 not where --annotations says',
  ])
})

test('a notation is recognised by what the whole set holds', async () => {
  const empty = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`labels/f${String(i).padStart(3, '0')}.txt`, i < 59 ? '' : LINE]),
  )
  const images = Object.fromEntries(
    Object.keys(empty).map((name) => [name.replace('labels', 'images').replace('txt', 'png'), 'image']),
  )
  const { report } = await check(await folderOf({ ...images, ...empty, 'classes.txt': 'car\n' }))
  assert.deepEqual(report.counts, { train: { images: 60, boxes: 1 } })
  const forms = await check(
    await folderOf({
      'data.yaml': 'train: images\nnames: [car]\n',
      'images/a.png': 'image',
      'images/b.png': 'image',
      'images/c.png': 'image',
      'labels/a.txt': '0 0.2 0.2 0.6 0.2 0.6 0.8 0.4 0.9 0.2 0.8\n',
      'labels/b.txt': '0 5.0E-01 5.0E-01 2.5E-01 5.0E-01\n',
      'labels/c.txt': '0 0.5 0.5 0.25 0.5 0.91\n',
    }),
  )
  assert.deepEqual(forms.boxes, { 'train/a': ['car 12.8,9.6,38.4,43.2'], 'train/b': [BOX], 'train/c': [BOX] })
  assert.deepEqual(forms.noted, [
    '1 a polygon: its box is taken',
    '1 a confidence in the sixth column: not used',
  ])
  const points = await check(
    await folderOf({
      'data.yaml': 'train: images\nnames: [car]\nkpt_shape: [2, 3]\n',
      'images/a.png': 'image',
      'labels/a.txt': '0 0.5 0.5 0.25 0.5 0.4 0.4 2 0.6 0.6 2\n',
    }),
  )
  assert.deepEqual(points.boxes, { 'train/a': [BOX] })
  const bdd = await check(
    await folderOf({
      'images/100k/train/a0.png': 'image',
      'labels/100k/train/a0.json': JSON.stringify({
        name: 'a0',
        frames: [
          {
            objects: [
              { category: 'car', box2d: { x1: 24, y1: 12, x2: 40, y2: 36 } },
              { category: 'area/drivable', poly2d: [] },
            ],
          },
        ],
      }),
    }),
  )
  assert.deepEqual(bdd.boxes, { 'train/100k/train/a0': [BOX] })
  assert.deepEqual(bdd.leftOut, ['1 a label without box2d (a lane, an area) has no box'])
  const info = await check(
    await folderOf({
      'images/a.png': 'image',
      'annotations/image_info_test.json': coco(['a.png'], {
        change: (d) => ({ ...d, annotations: undefined }),
      }),
    }),
  )
  assert.deepEqual([info.problems, info.unlabelled], [[], ['1 its annotation says nothing about labels']])
  const none = await folderOf({ 'images/a.png': 'image', 'notes.txt': 'no labels at all\n' })
  await assert.rejects(
    check(none),
    /found none anywhere below it; looked at notes\.txt\. What is read:\n {2}voc: /,
  )
})

test('class lists are found where the notation puts them, and numbers and booleans are names', async () => {
  const set = (lists: Record<string, string>) =>
    folderOf({ 'train/images/a.png': 'image', 'train/labels/a.txt': LINE, ...lists })
  for (const lists of [
    { 'data.yaml': 'train: ../train/images\nnc: 2\nnames: [car, bus]\n' },
    { 'mydata.yaml': 'train: train/images\nnames: [car, bus]\n' },
    {
      'obj.data': 'train = data/train.txt\nnames = data/voc.names\n',
      'voc.names': 'car\nbus\n',
      'train.txt': 'data/train/images/a.png\n',
    },
    { 'train/images/_darknet.labels': 'car\nbus\n' },
    { 'custom.names': 'car\nbus\n' },
    { 'data.yaml': 'train: train/images\nnames: custom.names\n', 'custom.names': 'car\nbus\n' },
    { 'classes.txt': 'car\nbus\n' },
    { 'manifest.json': '{"classes": ["car", "bus"]}' },
  ]) {
    const { report, problems } = await check(await set(lists as unknown as Record<string, string>))
    assert.deepEqual([report.classes, problems], [['car', 'bus'], []], Object.keys(lists).join())
  }
  const odd = await check(await set({ 'data.yaml': 'train: train/images\nnames: [2146, true]\n' }))
  assert.deepEqual(odd.report.classes, ['2146', 'true'])
  const beside = await check(
    await folderOf({ 'pics/a.png': 'image', 'pics/a.txt': LINE, 'pics/classes.txt': 'car\n' }),
  )
  assert.deepEqual(beside.boxes, { 'train/pics/a': [BOX] })
  const unlisted = await set({})
  await assert.rejects(check(unlisted), /expected a list of class names .*\(--classes\)/)
  assert.deepEqual((await check(unlisted, { classes: ['car'] })).boxes, { 'train/train/images/a': [BOX] })
  const differing = await check(await set({ 'classes.txt': 'car\n', 'labels.txt': 'bus\ncar\n' }))
  assert.match(
    differing.problems.join(),
    /labels\.txt: unknown class: expected one list of classes, found classes\.txt .*choose with --classes/,
  )
})

test('companion files of OpenImages and COCO are recognised as such', async () => {
  const header = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\n'
  const open = await check(
    await folderOf({
      'annotations/class-descriptions-boxable.csv': '/m/0k4j,car\n/m/01g317,Person\n',
      'annotations/train-annotations-bbox.csv': `${header}a1,x,/m/0k4j,1,0.375,0.625,0.25,0.75,0\n`,
      'annotations/validation-annotations-bbox.csv': `${header}a2,x,/m/0k4j,1,0.375,0.625,0.25,0.75,0\n`,
      'annotations/train-annotations-human-imagelabels.csv':
        'ImageID,Source,LabelName,Confidence\na1,x,/m/0k4j,1\n',
      'train/a1.png': 'image',
      'validation/a2.png': 'image',
    }),
  )
  assert.deepEqual(open.boxes, { 'train/train/a1': [BOX], 'validation/validation/a2': [BOX] })
  assert.deepEqual(open.leftOut, ['1 labels of whole images of OpenImages, no boxes'])
  const captions = {
    images: [{ id: 1, file_name: 'a.png' }],
    annotations: [{ id: 1, image_id: 1, caption: 'A car.' }],
    categories: [],
  }
  const companions = await check(
    await folderOf({
      'annotations/instances_train.json': coco(['a.png']),
      'annotations/person_keypoints_train.json': coco(['a.png']),
      'annotations/captions_train.json': JSON.stringify(captions),
      'images/a.png': 'image',
    }),
  )
  assert.deepEqual(companions.boxes, { 'train/a': [BOX] })
  assert.deepEqual(companions.leftOut, [
    '1 COCO captions, no boxes',
    '1 key points and stuff beside the instances of the same images',
  ])
})
