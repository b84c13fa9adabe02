/** The readers, and other programs' readers, read what the writers write. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import {
  type Box,
  type Dataset,
  encodePng,
  generateScenes,
  openDataset,
  readImage,
  readImageSize,
  type SplitName,
  WRITTEN_FORMATS,
  type WritableSet,
  writeDataset,
} from '../../lib/data'
import { folderOf, jpeg } from './sets/small'

const scratch = mkdtempSync(join(tmpdir(), 'written-test-'))
after(() => rmSync(scratch, { recursive: true, force: true }))
let made = 0
const fresh = () => join(scratch, `set-${made++}`)

const fixtures = join(__dirname, 'fixtures')
const [WIDTH, HEIGHT] = [64, 48]
const CLASSES = ['car', 'traffic light', 'Straße & <b>"'] as const
const SPLITS: readonly SplitName[] = ['train', 'validation', 'test', 'unlabelled', 'shifted']

/** Distinct images, of which random sets take the first ones. */
const POOL = Promise.all(
  Array.from({ length: 6 }, (_, n) =>
    encodePng({
      width: WIDTH,
      height: HEIGHT,
      pixels: new Uint8Array(3 * WIDTH * HEIGHT).map((_v, i) => (i * (n + 3)) % 251),
    }),
  ),
)
const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** "split class x1 y1 x2 y2 ..." of every image by its bytes; numbers to a billionth of a pixel. */
function contentOf({ splits, classes }: WritableSet): Record<string, string> {
  return Object.fromEntries(
    Object.entries(splits).flatMap(([split, samples]) =>
      (samples ?? []).map(({ file, boxes }) => [
        digestOf(file),
        [
          split,
          ...(boxes?.map((b) =>
            [classes[b.label], ...[b.x1, b.y1, b.x2, b.y2].map((v) => +v.toFixed(9))].join(' '),
          ) ?? ['none']),
        ].join('; '),
      ]),
    ),
  )
}

/** Names as given by people and cameras: Unicode forms, blanks, dots, signs, capitals. */
const nameArbitrary = fc
  .tuple(
    fc.array(
      fc.constantFrom(
        'a',
        'B',
        'b',
        'é',
        'é',
        'ß',
        '漢',
        ' ',
        '.',
        '-',
        '_',
        '#',
        '%',
        '%20',
        '(1)',
        '&',
        "'",
        ',',
        '=',
        '0',
      ),
      { minLength: 1, maxLength: 6 },
    ),
    fc.constantFrom('', 'train/', 'cam 1/', 'images/', 'labels/test/', 'VAL/'),
  )
  .map(([parts, folder]) => `${folder}${parts.join('').trim() || 'x'}`)
  .filter((name) => !/(^|\/)\./.test(name))

/** Sevenths of pixels: never near a whole pixel without being one, since fractions round to a millionth. */
const sevenths = (from: number, to: number) => fc.integer({ min: 7 * from, max: 7 * to }).map((n) => n / 7)
const boxArbitrary = fc
  .tuple(
    sevenths(0, 60),
    sevenths(0, 44),
    sevenths(1, WIDTH),
    sevenths(1, HEIGHT),
    fc.nat(CLASSES.length - 1),
  )
  .map(
    ([x1, y1, w, h, label]): Box => ({
      ...{ x1, y1, x2: Math.min(WIDTH, x1 + w), y2: Math.min(HEIGHT, y1 + h), label },
    }),
  )

const setArbitrary = fc
  .uniqueArray(
    fc.record({
      name: nameArbitrary,
      split: fc.constantFrom(...SPLITS),
      boxes: fc.array(boxArbitrary, { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 6, selector: ({ name }) => name.normalize('NFC').toLowerCase() },
  )
  // Only COCO can mark images as unlabelled.
  .filter((samples) => samples.some(({ split }) => split !== 'unlabelled'))

type Drawn = typeof setArbitrary extends fc.Arbitrary<infer T> ? T : never

/** A drawn set with its images on disk, under their random names. */
async function placed(drawn: Drawn): Promise<Dataset> {
  const pool = await POOL
  const folder = fresh()
  const splits: { [split in SplitName]?: Dataset['splits']['train'] } = {}
  drawn.forEach(({ name, split, boxes }, i) => {
    const file = join(folder, `${name}.png`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, pool[i]!)
    const sample = {
      id: name,
      file,
      width: WIDTH,
      height: HEIGHT,
      boxes: split === 'unlabelled' ? undefined : boxes,
    }
    splits[split] = [...(splits[split] ?? []), sample]
  })
  return { name: 'drawn', classes: CLASSES, splits, hash: '' }
}

test('any set written in any notation reads back to the same boxes, through all notations in turn', async () => {
  await fc.assert(
    fc.asyncProperty(
      setArbitrary,
      fc.shuffledSubarray([...WRITTEN_FORMATS], { minLength: WRITTEN_FORMATS.length }),
      async (drawn, order) => {
        let set: WritableSet = await placed(drawn)
        const expected = contentOf(set)
        for (const notation of order) {
          const target = fresh()
          await writeDataset(set, notation, target, 'link')
          const read = await openDataset(target, { validation: false })
          assert.deepEqual(contentOf(read), expected, notation)
          assert.deepEqual(read.classes, CLASSES, notation)
          set = read
        }
      },
    ),
    { numRuns: 40, seed: 7 },
  )
})

/** Labels of a drawn set in notations that are only read, or in others' layouts. */
const LAYOUTS: Readonly<Record<string, (drawn: Drawn) => Record<string, string>>> = {
  kitti: (drawn) =>
    Object.fromEntries(
      drawn.map(({ name, split, boxes }) => [
        `label_2/${split}/${name}.txt`,
        boxes.map((b) => `c${b.label} 0 0 0 ${b.x1} ${b.y1} ${b.x2} ${b.y2} 0 0 0 0 0 0 0\n`).join(''),
      ]),
    ),
  scalabel: (drawn) =>
    bySplit(drawn, 'labels/det_', '.json', (members) =>
      JSON.stringify(
        members.map(({ name, boxes }) => ({
          name: `${name}.png`,
          labels: boxes.map(({ label, ...box2d }) => ({ category: `c${label}`, box2d })),
        })),
      ),
    ),
  openimages: (drawn) =>
    bySplit(drawn, '', '-annotations-bbox.csv', (members) =>
      [
        'ImageID,LabelName,XMin,XMax,YMin,YMax',
        ...members.flatMap(({ name, boxes }) =>
          boxes.map((b) =>
            [`"${name}.png"`, `c${b.label}`, b.x1 / WIDTH, b.x2 / WIDTH, b.y1 / HEIGHT, b.y2 / HEIGHT].join(),
          ),
        ),
      ].join('\n'),
    ),
  coco: (drawn) =>
    bySplit(drawn, 'annotations/instances_', '.json', (members) =>
      JSON.stringify({
        images: members.map(({ name }, id) => ({ id, file_name: `${name}.png` })),
        annotations: members.flatMap(({ boxes }, image_id) =>
          boxes.map((b) => ({
            image_id,
            category_id: b.label,
            bbox: [b.x1, b.y1, b.x2 - b.x1, b.y2 - b.y1],
          })),
        ),
        categories: CLASSES.map((_, id) => ({ id, name: `c${id}` })),
      }),
    ),
  yolo: (drawn) => ({
    'data.yaml': `names: [c0, c1, c2]\n${[...new Set(drawn.map(({ split }) => split))].map((split) => `${split}: ${split}.txt\n`).join('')}`,
    ...bySplit(drawn, '', '.txt', (members, split) =>
      members.map(({ name }) => `./images/${split}/${name}.png\n`).join(''),
    ),
    ...Object.fromEntries(
      drawn.map(({ name, split, boxes }) => [
        `labels/${split}/${name}.txt`,
        boxes
          .map(
            (b) =>
              `${b.label} ${(b.x1 + b.x2) / 2 / WIDTH} ${(b.y1 + b.y2) / 2 / HEIGHT} ${(b.x2 - b.x1) / WIDTH} ${(b.y2 - b.y1) / HEIGHT}\n`,
          )
          .join(''),
      ]),
    ),
  }),
  voc: (drawn) =>
    Object.fromEntries(
      drawn.map(({ name, split, boxes }) => [
        `Annotations/${split}/${name}.xml`,
        `<annotation><filename>x</filename>${boxes.map((b) => `<object><name>c${b.label}</name><bndbox><xmin>${b.x1}</xmin><ymin>${b.y1}</ymin><xmax>${b.x2}</xmax><ymax>${b.y2}</ymax></bndbox></object>`).join('')}</annotation>`,
      ]),
    ),
}

function bySplit(
  drawn: Drawn,
  start: string,
  end: string,
  text: (members: Drawn, split: SplitName) => string,
): Record<string, string> {
  return Object.fromEntries(
    [...new Set(drawn.map(({ split }) => split))].map((split) => [
      `${start}${split}${end}`,
      text(
        drawn.filter((d) => d.split === split),
        split,
      ),
    ]),
  )
}

const flatName = nameArbitrary
  .map((name) => name.slice(name.lastIndexOf('/') + 1))
  .filter((name) => name !== '' && !name.startsWith('.'))
const layoutArbitrary = fc.uniqueArray(
  fc.record({
    name: flatName,
    split: fc.constantFrom<SplitName>('train', 'validation', 'test'),
    boxes: fc.array(boxArbitrary, { minLength: 1, maxLength: 3 }),
  }),
  {
    minLength: 1,
    maxLength: 6,
    selector: ({ name, split }) => `${split}/${name.normalize('NFC').toLowerCase()}`,
  },
)

for (const [notation, write] of Object.entries(LAYOUTS)) {
  test(`images under any names keep their boxes and splits in ${notation}`, async () => {
    const pool = await POOL
    await fc.assert(
      fc.asyncProperty(layoutArbitrary, async (drawn) => {
        const folder = await folderOf({
          ...Object.fromEntries(drawn.map(({ name, split }, i) => [`images/${split}/${name}.png`, pool[i]!])),
          ...write(drawn),
        })
        const read = await openDataset(folder, {
          validation: false,
          classes: notation === 'yolo' ? undefined : ['c0', 'c1', 'c2'],
        })
        const expected = Object.fromEntries(
          drawn.map(({ split, boxes }, i) => [
            createHash('sha256').update(pool[i]!).digest('hex'),
            [
              split,
              ...boxes.map((b) =>
                [`c${b.label}`, ...[b.x1, b.y1, b.x2, b.y2].map((v) => +v.toFixed(9))].join(' '),
              ),
            ].join('; '),
          ]),
        )
        assert.deepEqual(contentOf(read), expected)
      }),
      { numRuns: 40, seed: 11 },
    )
  })
}

/** A loader like YOLO's own: data.yaml, the images of a folder, labels at the same path with "labels" for "images". */
async function loadYolo(folder: string): Promise<Record<string, string>> {
  const config = parse(readFileSync(join(folder, 'data.yaml'), 'utf8')) as {
    path: string
    names: string[]
    nc: number
    train?: string
    val?: string
    test?: string
  }
  assert.equal(config.names.length, config.nc)
  const found: Record<string, string> = {}
  for (const [split, place] of [
    ['train', config.train],
    ['validation', config.val],
    ['test', config.test],
  ] as const) {
    if (place === undefined) continue
    const images = join(folder, config.path, place)
    for (const name of readdirSync(images)) {
      const file = join(images, name)
      const { width, height } = await readImageSize(file)
      const label = file.replace('/images/', '/labels/').replace(/\.[^.]+$/, '.txt')
      const lines = existsSync(label) ? readFileSync(label, 'utf8').split('\n').filter(Boolean) : ['none']
      const boxes = lines.map((line) => {
        const [c, x, y, w, h] = line.split(' ').map(Number) as [number, number, number, number, number]
        assert.ok([x, y, w, h].every((share) => share >= 0 && share <= 1))
        const corners = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        return [config.names[c], ...corners.map((v) => +v.toFixed(9))].join(' ')
      })
      found[digestOf(file)] = [split, ...boxes].join('; ')
    }
  }
  return found
}

test('an independent loader reads the same boxes from what is written as YOLO', async () => {
  await fc.assert(
    fc.asyncProperty(setArbitrary, async (drawn) => {
      const known = drawn.filter(
        ({ split }) => split === 'train' || split === 'validation' || split === 'test',
      )
      fc.pre(known.length > 0)
      const set = await placed(known)
      const target = fresh()
      await writeDataset(set, 'yolo', target, 'copy')
      const expected = contentOf(set)
      assert.deepEqual(await loadYolo(target), expected)
    }),
    { numRuns: 30, seed: 3 },
  )
})

test('pycocotools reads the same boxes from what is written as COCO', async () => {
  const dataset = await openDataset(fixtures, { annotations: 'voc', validation: false })
  const target = fresh()
  await writeDataset(dataset, 'coco', target, 'copy')
  // What pycocotools read from these very bytes; see oracle/written.py.
  const oracle = JSON.parse(readFileSync(join(__dirname, 'oracle/written.json'), 'utf8')) as Record<
    string,
    { sha256: string; rows: [string, string, number, number, number, number, number][] }
  >
  for (const [name, split] of [
    ['instances_train.json', 'train'],
    ['instances_test.json', 'test'],
  ] as const) {
    const file = join(target, 'annotations', name)
    assert.equal(digestOf(file), oracle[name]?.sha256, 'run oracle/written.py anew')
    const rows = dataset.splits[split]?.flatMap(({ id, boxes = [] }) =>
      boxes.map((b) => [
        `${id.split('/').pop()}.jpg`,
        dataset.classes[b.label],
        b.x1,
        b.y1,
        b.x2 - b.x1,
        b.y2 - b.y1,
        b.difficult ? 1 : 0,
      ]),
    )
    assert.deepEqual(oracle[name]?.rows, rows)
  }
})

test('a written set can be moved, and images that an EXIF tag turns are written upright', async () => {
  const folder = await folderOf({
    'images/a.jpg': await jpeg(6),
    'labels/a.txt': '0 0.25 0.125 0.25 0.125\n',
    'classes.txt': 'car\n',
  })
  const dataset = await openDataset(folder, { validation: false })
  for (const notation of WRITTEN_FORMATS) {
    const target = fresh()
    const { turned } = await writeDataset(dataset, notation, target, 'copy')
    assert.equal(turned, 1)
    const moved = fresh()
    renameSync(target, moved)
    const read = await openDataset(moved, { validation: false })
    const [sample] = read.splits.train ?? []
    assert.deepEqual([sample?.width, sample?.height, sample?.orientation], [48, 64, undefined])
    assert.deepEqual(
      sample?.boxes?.map((b) => [b.x1, b.y1, b.x2, b.y2]),
      [[6, 4, 18, 12]],
    )
    const before = await readImage(dataset.splits.train![0]!.file, { upright: true })
    assert.deepEqual((await readImage(sample!.file)).pixels, before.pixels)
  }
  // Without images a list and COCO name them where they are.
  const none = fresh()
  await writeDataset(dataset, 'coco', none, 'none')
  await assert.rejects(openDataset(none), /found it outside; --outside reads it/)
})

test('an image of a set whose ids are file names is written with one ending', async () => {
  const folder = fresh()
  const { splits, classes } = await generateScenes(folder, { splits: { train: 2 }, width: 128, height: 48 })
  const target = fresh()
  await writeDataset({ splits, classes }, 'yolo', target, 'copy')
  assert.deepEqual(readdirSync(join(target, 'images/train')).sort(), ['000000.png', '000001.png'])
})
