import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { encodePng } from '../../lib/data/images'
import { FORMATS } from '../../lib/data/intake/notations'
import { openDataset } from '../../lib/data/open'
import type { Dataset, SplitName } from '../../lib/data/types'
import { writeDataset } from '../../lib/data/writers'

const fixtures = join(__dirname, 'fixtures')
const scratch = mkdtempSync(join(tmpdir(), 'open-test-'))
after(() => rmSync(scratch, { recursive: true }))

/** A copy of the fixtures' images and of one notation, laid out as `place` says. */
function copy(name: string, parts: Readonly<Record<string, string>>): string {
  const folder = join(scratch, name)
  for (const [from, to] of Object.entries(parts))
    cpSync(join(fixtures, from), join(folder, to), { recursive: true })
  return folder
}

/** "class x1 y1 x2 y2" of every image of a split, rounded to a thousandth. */
function boxesOf(dataset: Dataset, split: SplitName): Record<string, string[]> {
  return Object.fromEntries(
    (dataset.splits[split] ?? []).map(({ id, boxes }) => [
      id,
      (boxes ?? []).map((b) =>
        [dataset.classes[b.label], ...[b.x1, b.y1, b.x2, b.y2].map((v) => +v.toFixed(3))].join(' '),
      ),
    ]),
  )
}

const train = {
  'train/a_001': ['car 8 10 40 30', 'light 48 2 52 12'],
  'train/a_002': ['car 1 1 64 40'],
  'train/b_001': [],
}
const held = { 'test/c_001': ['light 16 4 24 20'] }

for (const format of FORMATS) {
  test(`the same photos give the same boxes in ${format}`, async () => {
    const dataset = await openDataset(fixtures, { format, annotations: format, validation: false })
    assert.deepEqual([...dataset.classes], ['car', 'light'])
    // OpenImages lists boxes only, and so cannot say that an image has none.
    const { 'train/b_001': _, ...boxed } = train
    assert.deepEqual(boxesOf(dataset, 'train'), format === 'openimages' ? boxed : train)
    assert.deepEqual(boxesOf(dataset, 'test'), held)
    assert.deepEqual(dataset.splits.test?.[0]?.width, 64)
  })

  test(`${format} is recognised by its files`, async () => {
    const place = { voc: 'Annotations', yolo: 'labels', kitti: 'label_2' }[format as string] ?? 'annotations'
    const folder = copy(`auto-${format}`, { images: 'images', [format]: place, 'classes.txt': 'classes.txt' })
    const dataset = await openDataset(folder, { validation: false })
    assert.deepEqual(boxesOf(dataset, 'test'), held)
  })
}

test('shares with six decimals give whole pixels back, to the last bit', async () => {
  // 300 and 200 do not divide 1: the shares are rounded when they are written.
  const folder = join(scratch, 'shares')
  for (const place of ['images', 'labels', 'boxes']) mkdirSync(join(folder, place), { recursive: true })
  writeFileSync(
    join(folder, 'images/a.png'),
    await encodePng({ width: 300, height: 200, pixels: new Uint8Array(180000) }),
  )
  const boxes = Array.from({ length: 40 }, (_, i) => [i, 2 * i + 1, 300 - 3 * i, 200 - i] as const)
  const yolo = boxes.map(([x1, y1, x2, y2]) =>
    [(x1 + x2) / 600, (y1 + y2) / 400, (x2 - x1) / 300, (y2 - y1) / 200].map((v) => v.toFixed(6)).join(' '),
  )
  writeFileSync(join(folder, 'labels/a.txt'), yolo.map((line) => `0 ${line}\n`).join(''))
  const csv = boxes.map(
    ([x1, y1, x2, y2]) =>
      `a,car,${[x1 / 300, x2 / 300, y1 / 200, y2 / 200].map((v) => v.toFixed(6)).join()}\n`,
  )
  writeFileSync(join(folder, 'boxes/all.csv'), `ImageID,LabelName,XMin,XMax,YMin,YMax\n${csv.join('')}`)
  for (const [format, annotations] of [
    ['yolo', 'labels'],
    ['openimages', 'boxes'],
  ] as const) {
    const { splits } = await openDataset(folder, { format, annotations, classes: ['car'], validation: false })
    assert.deepEqual(
      splits.train?.[0]?.boxes?.map((b) => [b.x1, b.y1, b.x2, b.y2]),
      boxes,
      format,
    )
  }
})

test('an image in two splits is refused, and copies of one image are carved together', async () => {
  const folder = copy('shared', { images: 'images', voc: 'Annotations' })
  const twice = (from: string, to: string) => {
    cpSync(join(folder, `images/${from}.jpg`), join(folder, `images/${to}.jpg`))
    cpSync(join(folder, `Annotations/${from}.xml`), join(folder, `Annotations/${to}.xml`))
  }
  for (const sequence of 'abcdefghij') twice('train/a_001', `train/copy_${sequence}`)
  const { splits } = await openDataset(folder, { validation: 0.5 })
  const isCopy = ({ id }: { id: string }) => /copy_|a_001/.test(id)
  const { train: rest = [], validation = [] } = splits
  assert.equal(rest.length + validation.length, 13)
  assert.ok(validation.length > 0)
  assert.ok(!rest.some(isCopy) || !validation.some(isCopy))
  twice('test/c_001', 'train/held')
  await assert.rejects(
    openDataset(folder),
    /train\/held\.jpg: duplicate image: expected an image of one split, found the same bytes as .*test\/c_001\.jpg of test; .*--fix/,
  )
})

test('an error in JSON names line and key', async () => {
  const folder = copy('lines', { images: 'images', coco: 'annotations' })
  const file = join(folder, 'annotations/instances_test.json')
  const json = JSON.parse(readFileSync(file, 'utf8')) as { annotations: { category_id: number }[] }
  json.annotations[0]!.category_id = 99
  const text = JSON.stringify(json, null, 1)
  writeFileSync(file, text)
  const line = text.slice(0, text.indexOf('99')).split('\n').length
  await assert.rejects(
    openDataset(folder),
    new RegExp(`instances_test\\.json:${line}:annotations\\[0\\]\\.category_id: unknown class`),
  )
})

test('VOC and COCO keep the difficult flag', async () => {
  for (const format of ['voc', 'coco'] as const) {
    const { splits } = await openDataset(fixtures, { format, annotations: format, validation: false })
    assert.deepEqual(
      splits.train?.map(({ boxes }) => boxes?.some(({ difficult }) => difficult)),
      [false, true, false],
    )
  }
})

test('two notations for the same images stop the reading, and the format chooses', async () => {
  const folder = copy('both', {
    images: 'images',
    voc: 'labels_voc',
    yolo: 'labels_yolo',
    'classes.txt': 'labels.txt',
  })
  rmSync(join(folder, 'labels_yolo', 'train'), { recursive: true })
  await assert.rejects(
    openDataset(folder, { validation: false }),
    /Pascal VOC \(labels_voc\/test\/c_001\.xml; 4 images; --format voc\) and YOLO \(labels_yolo\/test\/c_001\.txt; 1 image; --format yolo\) for the same image .*choose with --format/,
  )
  const voc = await openDataset(folder, { format: 'voc', validation: false })
  assert.deepEqual(boxesOf(voc, 'train'), train)
  // Images without a label file are unlabelled.
  const yolo = await openDataset(folder, { format: 'yolo', validation: false })
  assert.deepEqual(
    yolo.splits.unlabelled?.map(({ id, boxes }) => [id, boxes]),
    [
      ['train/a_001', undefined],
      ['train/a_002', undefined],
      ['train/b_001', undefined],
    ],
  )
})

test('VOC devkit: JPEGImages, Annotations, and the lists of ImageSets/Main', async () => {
  const folder = join(scratch, 'devkit')
  for (const split of ['train', 'test']) {
    cpSync(join(fixtures, 'images', split), join(folder, 'JPEGImages'), { recursive: true })
    cpSync(join(fixtures, 'voc', split), join(folder, 'Annotations'), { recursive: true })
  }
  mkdirSync(join(folder, 'ImageSets', 'Main'), { recursive: true })
  const list = (name: string, text: string) =>
    writeFileSync(join(folder, 'ImageSets', 'Main', `${name}.txt`), text)
  list('train', 'a_001\n')
  list('val', 'a_002\n')
  list('test', 'c_001\n')
  list('trainval', 'a_001\na_002\n')
  list('car_train', 'a_001  1\n')
  const { splits, classes } = await openDataset(folder)
  assert.deepEqual(classes, ['car', 'light'])
  assert.deepEqual(
    Object.entries(splits).map(([split, samples]) => [split, samples.map(({ id }) => id)]),
    [
      ['train', ['a_001']],
      ['validation', ['a_002']],
      ['test', ['c_001']],
    ],
  )
  // The lists are found from the folder above, and trainval is train where there is no train.
  const above = join(scratch, 'devkits')
  cpSync(folder, join(above, 'VOC2007'), { recursive: true })
  rmSync(join(above, 'VOC2007/ImageSets/Main/train.txt'))
  rmSync(join(above, 'VOC2007/ImageSets/Main/val.txt'))
  const { splits: devkit } = await openDataset(above, { validation: false })
  assert.deepEqual(
    Object.entries(devkit).map(([split, samples]) => [split, samples.map(({ id }) => id)]),
    [
      ['train', ['VOC2007/JPEGImages/a_001', 'VOC2007/JPEGImages/a_002']],
      ['test', ['VOC2007/JPEGImages/c_001']],
    ],
  )
  list('test', 'c_001\nc_002\n')
  await assert.rejects(openDataset(folder), /test\.txt:2: missing image: expected one image c_002/)
})

test('YOLO: images named after splits, beside a list of images named after one', async () => {
  const folder = join(scratch, 'called')
  mkdirSync(join(folder, 'labels'), { recursive: true })
  mkdirSync(join(folder, 'images'))
  for (const name of ['train_0001', 'test_0002']) {
    cpSync(join(fixtures, 'images/test/c_001.jpg'), join(folder, `images/${name}.jpg`))
    cpSync(join(fixtures, 'yolo/test/c_001.txt'), join(folder, `labels/${name}.txt`))
  }
  writeFileSync(join(folder, 'labels/train.txt'), 'images/train_0001.jpg\nimages/test_0002.jpg\n')
  const { splits } = await openDataset(folder, { classes: ['car', 'light'], validation: false })
  assert.deepEqual(
    splits.train?.map(({ id, boxes }) => [id, boxes?.length]),
    [
      ['test_0002', 1],
      ['train_0001', 1],
    ],
  )
})

test('YOLO: train/images beside train/labels, with a data.yaml of another folder', async () => {
  const folder = copy('exported', {
    'images/train': 'train/images',
    'yolo/train': 'train/labels',
    'images/test': 'valid/images',
    'yolo/test': 'valid/labels',
  })
  writeFileSync(
    join(folder, 'data.yaml'),
    'train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [car, light]\n',
  )
  const dataset = await openDataset(folder)
  assert.deepEqual(Object.keys(dataset.splits), ['train', 'validation'])
  assert.deepEqual(boxesOf(dataset, 'validation'), { 'valid/images/c_001': ['light 16 4 24 20'] })
})

test('folders named after splits with a year, and names that hold dots', async () => {
  const folder = copy('years', {
    'images/train': 'images/train2017',
    'yolo/train': 'labels/train2017',
    'images/test': 'images/val2017',
    'yolo/test': 'labels/val2017',
    'classes.txt': 'classes.txt',
  })
  assert.deepEqual(Object.keys((await openDataset(folder)).splits), ['train', 'validation'])
  const dotted = join(scratch, 'dotted')
  for (const [name, split] of Object.entries({ a_001: 'train', c_001: 'test' })) {
    cpSync(join(fixtures, `images/${split}/${name}.jpg`), join(dotted, `JPEGImages/${name}.rf.x1.jpg`))
    cpSync(join(fixtures, `voc/${split}/${name}.xml`), join(dotted, `Annotations/${name}.rf.x1.xml`))
  }
  mkdirSync(join(dotted, 'ImageSets/Main'), { recursive: true })
  writeFileSync(join(dotted, 'ImageSets/Main/train.txt'), 'a_001.rf.x1\n')
  writeFileSync(join(dotted, 'ImageSets/Main/val.txt'), 'c_001.rf.x1\n')
  assert.deepEqual(Object.keys((await openDataset(dotted)).splits), ['train', 'validation'])
})

test('the hash covers classes, boxes and bytes, not the place', async () => {
  const [first, second] = [
    copy('one', { images: 'images', voc: 'Annotations' }),
    copy('two', { images: 'images', voc: 'Annotations' }),
  ]
  const hash = async (folder: string, options = {}) => (await openDataset(folder, options)).hash
  const before = await hash(first)
  assert.match(before, /^[0-9a-f]{64}$/)
  assert.equal(await hash(second), before)
  assert.notEqual(await hash(second, { classes: ['light', 'car'] }), before)
  assert.notEqual(await hash(second, { vocPixels: 'inclusive' }), before)
  cpSync(join(second, 'images/train/a_001.jpg'), join(second, 'images/train/a_002.jpg'))
  assert.notEqual(await hash(second), before)
})

test('a cache gives the same data set and notices a changed image', async () => {
  const folder = copy('cached', { images: 'images', voc: 'Annotations' })
  const cache = join(scratch, 'cache')
  const first = await openDataset(folder, { cache })
  assert.equal(readdirSync(cache).length, 1)
  assert.deepEqual(await openDataset(folder, { cache }), first)
  writeFileSync(join(cache, readdirSync(cache)[0]!), 'not json')
  assert.deepEqual(await openDataset(folder, { cache }), first)
  cpSync(join(folder, 'images/train/a_001.jpg'), join(folder, 'images/train/a_002.jpg'))
  assert.notEqual((await openDataset(folder, { cache })).hash, first.hash)
})

test('errors say what they looked for', async () => {
  await assert.rejects(
    openDataset(join(scratch, 'nowhere')),
    /expected the folder of a data set, found nothing/,
  )
  await assert.rejects(
    openDataset(join(fixtures, 'images')),
    /expected annotations \(voc, coco, .*\), found none/,
  )
  const folder = copy('broken', { images: 'images', voc: 'Annotations' })
  const classes = ['car']
  await assert.rejects(
    openDataset(folder, { classes }),
    /c_001\.xml:4: unknown class: expected one of car, found "light"/,
  )
  writeFileSync(join(folder, 'images/train/a_001.jpg'), 'no image')
  await assert.rejects(openDataset(folder), /a_001\.jpg: corrupt image: expected a readable image/)
  rmSync(join(folder, 'images/train/a_001.jpg'))
  await assert.rejects(openDataset(folder), /a_001\.xml:2: missing image: expected one image/)
  const unnamed = copy('unnamed', { images: 'images', yolo: 'labels' })
  await assert.rejects(
    openDataset(unnamed),
    /expected a list of class names .*; add one or name a file of them/,
  )
})

test('conversion to COCO and to lists keeps every box and opens again', async () => {
  const dataset = await openDataset(fixtures, { annotations: 'voc', validation: false })
  for (const notation of ['coco', 'list'] as const) {
    const target = join(scratch, `converted-${notation}`)
    await writeDataset(dataset, notation, target, 'link')
    const again = await openDataset(target, { validation: false })
    assert.deepEqual([...again.classes], [...dataset.classes])
    assert.deepEqual(Object.values(boxesOf(again, 'train')), Object.values(boxesOf(dataset, 'train')))
    assert.deepEqual(Object.values(boxesOf(again, 'test')), Object.values(boxesOf(dataset, 'test')))
    await assert.rejects(writeDataset(dataset, notation, target), /expected a new or empty folder/)
  }
})

const outside = process.env.WORKBOOK_DATASETS
const skip = outside === undefined ? 'WORKBOOK_DATASETS is not set' : false

test('100 photos agree over VOC, COCO, YOLO and OpenImages', { skip }, async () => {
  const folder = join(outside!, 'formats')
  const read = async (annotations: string) => {
    const dataset = await openDataset(folder, { annotations: `gts/${annotations}`, validation: false })
    const rows = (dataset.splits.train ?? []).flatMap(({ id, boxes }) =>
      (boxes ?? []).map((b) => [id, dataset.classes[b.label], b.x1, b.y1, b.x2, b.y2].join(' ')),
    )
    return rows.sort()
  }
  const voc = await read('pascalvoc_format')
  assert.equal(voc.length, 273)
  for (const other of ['coco_format_v1', 'coco_format_v2', 'yolo_format', 'openimages_format'])
    assert.deepEqual(await read(other), voc, other)
})

test('CARLA street frames: splits by town, validation in one block of each', { skip }, async () => {
  const dataset = await openDataset(join(outside!, 'carla'), { format: 'voc' })
  assert.deepEqual(dataset.classes, ['vehicle', 'bike', 'motobike', 'traffic_light', 'traffic_sign'])
  const { train: rest = [], validation = [], test: heldOut = [] } = dataset.splits
  assert.deepEqual([rest.length + validation.length, heldOut.length], [779, 249])
  assert.equal(validation.length, 118)
  const boxes = [...rest, ...validation, ...heldOut].flatMap((sample) => sample.boxes ?? [])
  const counts = dataset.classes.map((_, label) => boxes.filter((box) => box.label === label).length)
  assert.deepEqual(counts, [1375, 181, 91, 2643, 105])
  assert.ok(heldOut.every(({ id }) => id.startsWith('test/Town05')))
})

test('BDD100K frames parse', { skip }, async () => {
  const folder = join(scratch, 'bdd')
  mkdirSync(folder)
  cpSync(join(outside!, 'bdd/track_sample_anns.json'), join(folder, 'track.json'))
  await assert.rejects(
    openDataset(folder),
    /track\.json:\d+:\[0\]: missing image: expected one image b1c66a42-6f7d68ca-0000001\.jpg/,
  )
})
