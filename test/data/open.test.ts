import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeAnnotations } from '../../lib/data/convert'
import { FORMATS } from '../../lib/data/layout'
import { openDataset } from '../../lib/data/open'
import type { Dataset, SplitName } from '../../lib/data/types'

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

test('VOC and COCO keep the difficult flag', async () => {
  for (const format of ['voc', 'coco'] as const) {
    const { splits } = await openDataset(fixtures, { format, annotations: format, validation: false })
    assert.deepEqual(
      splits.train?.map(({ boxes }) => boxes?.some(({ difficult }) => difficult)),
      [false, true, false],
    )
  }
})

test('VOC before YOLO where both lie beside the images', async () => {
  const folder = copy('both', {
    images: 'images',
    voc: 'labels_voc',
    yolo: 'labels_yolo',
    'classes.txt': 'labels.txt',
  })
  rmSync(join(folder, 'labels_yolo', 'train'), { recursive: true })
  const both = await openDataset(folder, { validation: false })
  assert.deepEqual(boxesOf(both, 'train'), train)
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
  list('test', 'c_001\nc_002\n')
  await assert.rejects(openDataset(folder), /test\.txt:2: missing image: expected one image c_002/)
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

test('errors say what was looked for', async () => {
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
  await assert.rejects(openDataset(folder), /a_001\.xml: missing image: expected one image/)
  const unnamed = copy('unnamed', { images: 'images', yolo: 'labels' })
  await assert.rejects(openDataset(unnamed), /expected a list of class names .*; add one or give classes/)
})

test('conversion to COCO and to lists keeps every box and opens again', async () => {
  const dataset = await openDataset(fixtures, { annotations: 'voc', validation: false })
  for (const notation of ['coco', 'list'] as const) {
    const target = join(scratch, `converted-${notation}`)
    await writeAnnotations(dataset, notation, target)
    const again = await openDataset(target, { validation: false })
    assert.deepEqual([...again.classes], [...dataset.classes])
    assert.deepEqual(Object.values(boxesOf(again, 'train')), Object.values(boxesOf(dataset, 'train')))
    assert.deepEqual(Object.values(boxesOf(again, 'test')), Object.values(boxesOf(dataset, 'test')))
    await assert.rejects(writeAnnotations(dataset, notation, target), /expected a new or empty folder/)
  }
})

const outside = process.env.WORKBOOK_DATASETS
const skip = outside === undefined ? 'WORKBOOK_DATASETS is not set' : false

test('100 photos agree over VOC, COCO, YOLO and OpenImages', { skip }, async () => {
  const folder = join(outside!, 'formats')
  const read = async (annotations: string) => {
    const dataset = await openDataset(folder, { annotations: `gts/${annotations}`, validation: false })
    const rows: { id: string; name: string; box: number[] }[] = []
    for (const { id, boxes } of dataset.splits.train ?? [])
      for (const b of boxes ?? [])
        rows.push({ id, name: dataset.classes[b.label]!, box: [b.x1, b.y1, b.x2, b.y2] })
    const key = ({ id, name, box }: (typeof rows)[number]) => `${id} ${name} ${box.map(Math.round)}`
    return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1))
  }
  const voc = await read('pascalvoc_format')
  assert.equal(voc.length, 273)
  for (const other of ['coco_format_v1', 'coco_format_v2', 'yolo_format', 'openimages_format']) {
    const rows = await read(other)
    assert.equal(rows.length, 273, other)
    rows.forEach((row, i) => {
      assert.deepEqual([row.id, row.name], [voc[i]!.id, voc[i]!.name], other)
      // YOLO writes six decimals of 500 pixels.
      for (const [k, v] of row.box.entries())
        assert.ok(Math.abs(v - voc[i]!.box[k]!) < 1e-3, `${other} ${row.id}`)
    })
  }
})

test('CARLA street frames: splits by town, validation in one block of each', { skip }, async () => {
  const dataset = await openDataset(join(outside!, 'carla'))
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
    /track\.json:\[0\]: missing image: expected one image b1c66a42-6f7d68ca-0000001\.jpg/,
  )
})
