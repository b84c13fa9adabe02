/** What stands in files that readers cannot take as it is, and what becomes of it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLoader, openDataset, readImage } from '../../lib/data'
import { datasetCommand } from '../../lib/workbench/commands/dataset'
import { BOX, type CocoDocument, check, coco, floatTiff, folderOf, jpeg, LINE, xml } from './sets/small'

test('an annotation that names another image inside is noted, and corners beyond numbers are refused', async () => {
  const { boxes, noted } = await check(
    await folderOf({
      'JPEGImages/a.png': 'image',
      'JPEGImages/b.png': 'image',
      'Annotations/a.xml': xml('b.png'),
    }),
  )
  assert.deepEqual(boxes['train/a'], [BOX])
  assert.deepEqual(noted, [
    '1 not found as written: by the name of the label file, which names another image inside',
  ])
  const far = await check(
    await folderOf({
      'images/a.png': 'image',
      'images/b.png': 'image',
      'annotations/instances_train.json': coco(['a.png', 'b.png'], {
        change: (d) => {
          d.annotations![0]!.bbox = [1e308, 0, 1e308, 1]
        },
      }),
    }),
  )
  assert.match(far.problems.join(), /annotations\[0\]\.bbox: limit: expected corners that a number can hold/)
})

test('text is read as it declares: encodings, byte-order marks, UTF-16; other bytes stop with file and line', async () => {
  const gb = Buffer.concat([
    Buffer.from(
      '<?xml version="1.0" encoding="gb2312"?><annotation><filename>a.png</filename><object><name>',
    ),
    Buffer.from([0xc6, 0xfb, 0xb3, 0xb5]),
    Buffer.from(
      '</name><bndbox><xmin>24</xmin><ymin>12</ymin><xmax>40</xmax><ymax>36</ymax></bndbox></object></annotation>',
    ),
  ])
  const voc = await check(await folderOf({ 'JPEGImages/a.png': 'image', 'Annotations/a.xml': gb }))
  assert.deepEqual(voc.boxes, { 'train/a': ['汽车 24,12,40,36'] })
  const utf16 = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])
  const listed = await check(
    await folderOf({
      'data.yaml': 'train: train.txt\nval: val.txt\nnames: [car]\n',
      'train.txt': utf16('images/a.png\r\n'),
      'val.txt': utf16('images/b.png\r\n'),
      'images/a.png': 'image',
      'images/b.png': 'image',
      'labels/a.txt': `\ufeff${LINE}`,
      'labels/b.txt': LINE.replace('\n', '\r'),
    }),
  )
  assert.deepEqual(listed.boxes, { 'train/a': [BOX], 'validation/b': [BOX] })
  const latin = await folderOf({
    'images/a.png': 'image',
    'labels/a.txt': LINE,
    'classes.txt': Buffer.from('Lkw\nFu\xdfg\xe4nger\n', 'latin1'),
  })
  await assert.rejects(
    check(latin),
    /classes\.txt:2: encoding: expected UTF-8, found the byte 0xdf; save the file as UTF-8/,
  )
  // Marks and blanks are no part of names.
  const names = await check(
    await folderOf({ 'images/a.png': 'image', 'labels/a.txt': LINE, 'classes.txt': '\ufeffcar \n bus\n' }),
  )
  assert.deepEqual(names.report.classes, ['car', 'bus'])
})

test('EXIF orientation: turned or as stored, whichever the annotation implies; otherwise a problem', async () => {
  const turned = await jpeg(6)
  const yolo = await folderOf({
    'images/a.jpg': turned,
    'labels/a.txt': '0 0.25 0.125 0.25 0.125\n',
    'classes.txt': 'car\n',
  })
  assert.deepEqual((await check(yolo)).boxes, { 'train/a': ['car 6,4,18,12'] })
  const [sample] = (await openDataset(yolo, { validation: false })).splits.train ?? []
  assert.deepEqual([sample?.width, sample?.height, sample?.orientation], [48, 64, 6])
  const upright = await readImage(sample!.file, { upright: true })
  const stored = await readImage(sample!.file)
  assert.deepEqual([upright.width, upright.height, stored.width, stored.height], [48, 64, 64, 48])
  // Orientation 6: the first stored column, read from below, is the first row that is seen.
  const at = ({ pixels, width }: typeof stored, x: number, y: number) => [
    ...pixels.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
  ]
  assert.deepEqual(at(upright, 0, 0), at(stored, 0, 47))
  assert.deepEqual(at(upright, 47, 0), at(stored, 0, 0))
  // Training sees them upright, through every way a frame may take.
  for (const diskCache of [undefined, join(yolo, '..', 'frames')]) {
    const loader = createLoader([sample!], { input: [64, 48], batch: 1, cacheBytes: 0, diskCache })
    for (let epoch = 0; epoch < 2; epoch++) {
      const { images } = await loader.batchAt(epoch)
      assert.deepEqual(Array.from(images), [...upright.pixels])
    }
    await loader.close()
  }
  const sized = (size: [number, number]) => ({ size, bbox: [10, 40, 20, 5] })
  for (const [size, expected] of [
    [
      [48, 64],
      [48, 64, 6],
    ],
    [
      [64, 48],
      [64, 48, undefined],
    ],
  ] as const) {
    const set = await folderOf({
      'images/a.jpg': turned,
      'annotations/instances_train.json': coco(['a.jpg'], sized([...size])),
    })
    const [found] = (await openDataset(set, { validation: false })).splits.train ?? []
    assert.deepEqual([found?.width, found?.height, found?.orientation], expected)
  }
  // Upside down, the size does not decide, and a list states none.
  const flipped = await check(
    await folderOf({ 'JPEGImages/a.jpg': await jpeg(3), 'Annotations/a.xml': xml('a.jpg') }),
  )
  assert.match(flipped.problems.join(), /a\.xml:1: orientation: .*a\.jpg is turned by its EXIF orientation 3/)
  const list = (box: string) =>
    folderOf({ 'train.txt': `a.jpg ${box},0\n`, 'a.jpg': turned, 'classes.txt': 'car\n' })
  assert.match((await check(await list('1,1,20,20'))).problems.join(), /orientation/)
  assert.deepEqual((await check(await list('1,1,60,20'))).boxes, { 'train/a': ['car 1,1,60,20'] })
})

test('nothing is left out silently', async () => {
  const voc = await check(
    await folderOf({
      ...Object.fromEntries(
        'abcd'.split('').flatMap((name) => [
          [`JPEGImages/${name}.png`, 'image'],
          [`Annotations/${name}.xml`, xml(`${name}.png`)],
        ]),
      ),
      'ImageSets/Main/train.txt': 'a\n',
      'ImageSets/Main/val.txt': 'b\n',
      'ImageSets/Main/car_train.txt': 'a  1\n',
      'README.md': 'A data set.\n',
      '.DS_Store': 'x',
    }),
  )
  assert.deepEqual(Object.keys(voc.boxes), ['train/a', 'validation/b'])
  assert.deepEqual(voc.leftOut, [
    '1 hidden: the name begins with a dot',
    '1 a list of ImageSets that is not a split',
    '2 in none of the lists of ImageSets',
    '2 of an image in none of the lists of ImageSets',
    '1 neither labels nor anything about them (.md)',
  ])
  const kitti = await check(
    await folderOf({
      'training/image_2/a.png': 'image',
      'training/label_2/a.txt':
        'car 0 0 0 24 12 40 36 0 0 0 0 0 0 0\nDontCare -1 -1 -10 1 1 9 9 -1 -1 -1 -1 -1 -1 -10\n',
    }),
  )
  assert.deepEqual(
    [kitti.boxes, kitti.leftOut],
    [{ 'train/a': [BOX] }, ['1 a DontCare region is not an object']],
  )
  const frames = [
    { name: 'a.png', labels: [{ category: 'car', box2d: { x1: 24, y1: 12, x2: 40, y2: 36 } }] },
    { name: 'b.png', timestamp: 10 },
  ]
  const bdd = await check(
    await folderOf({
      'images/val/a.png': 'image',
      'images/val/b.png': 'image',
      'labels/det_val.json': JSON.stringify(frames),
    }),
  )
  assert.deepEqual(bdd.boxes, { 'validation/val/a': [BOX], 'unlabelled/val/b': [] })
  assert.deepEqual(bdd.unlabelled, ['1 its annotation says nothing about labels'])
  const types = await check(
    await folderOf({
      'images/a.png': 'image',
      'images/b.bmp': 'BM',
      'images/c.ppm': 'P6',
      'images/d.bmp': 'BM',
      'labels/a.txt': LINE,
      'labels/d.txt': LINE,
      'classes.txt': 'car\n',
    }),
  )
  assert.deepEqual(types.leftOut, ['2 of a type that is not read, and without labels'])
  assert.deepEqual(types.problems, [
    'images/d.bmp: image type: expected JPEG, PNG, WebP, GIF, TIFF or AVIF, found a labelled image of another type (.bmp); convert it',
  ])
})

test('--fix leaves out images whose every line was refused, or keeps them without labels', async (context) => {
  const lines: Record<string, string> = {
    sound: LINE,
    comma: '0,0.5,0.5,0.25,0.5\n',
    pixels: '0 32 24 16 24\n',
    zero: '0 0.5 0.5 0 0\n',
    two: '0 0.5 0.5 0.25 0.5\n2 0.5 0.5 0.25 0.5\n',
    twice: LINE + LINE,
    rounded: '0 0.51 0.5 1.0 1.0\n',
    nothing: '',
  }
  const folder = await folderOf({
    ...Object.fromEntries(
      Object.entries(lines).flatMap(([name, text]) => [
        [`images/${name}.png`, 'image'],
        [`labels/${name}.txt`, text],
      ]),
    ),
    'classes.txt': 'car\nbus\n',
  })
  const { report, problems, noted } = await check(folder)
  assert.deepEqual(
    problems.map((line) => line.split(': ').slice(0, 2).join(' ')),
    [
      'labels/comma.txt:1 syntax',
      'labels/pixels.txt:1 outside image',
      'labels/twice.txt:2 duplicate box',
      'labels/two.txt:2 unknown class',
      'labels/zero.txt:1 empty box',
    ],
  )
  assert.match(problems[1]!, /are these pixels\?/)
  assert.deepEqual(noted, ['1 out of its image by less than a pixel: clipped'])
  assert.deepEqual(
    report.emptied.map(({ id }) => id),
    ['comma', 'pixels', 'zero'],
  )
  context.mock.method(console, 'log', () => undefined)
  context.mock.method(console, 'error', () => undefined)
  for (const [name, options, kept] of [
    ['fixed', [], []],
    ['kept', ['--keep-unlabelled'], ['comma', 'pixels', 'zero']],
  ] as const) {
    const target = join(folder, '..', `${name}-${Date.now()}`)
    await datasetCommand().parseAsync(['check', folder, '--fix', target, ...options], { from: 'user' })
    const fixed = await openDataset(target, { validation: false })
    assert.deepEqual(fixed.splits.unlabelled?.map(({ id }) => id.split('/').pop()) ?? [], kept)
    assert.deepEqual(
      fixed.splits.train?.map(({ id, boxes }) => [id.split('/').pop(), boxes?.length]),
      [
        ['nothing', 0],
        ['rounded', 1],
        ['sound', 1],
        ['twice', 1],
        ['two', 1],
      ],
    )
  }
  process.exitCode = 0
})

test('ids are compared with their type, and large ones keep their digits', async () => {
  const said = async (change: (d: CocoDocument) => unknown) =>
    check(
      await folderOf({
        'images/a.png': 'image',
        'images/b.png': 'image',
        'annotations/instances_train.json': coco(['a.png', 'b.png'], { change }),
      }),
    )
  const text = await said((d) => {
    d.images[0]!.id = '1'
  })
  assert.match(
    text.problems.join('\n'),
    /annotations\[0\]\.image_id: .*found 1, a number, where the ids are texts \("1"\)/,
  )
  const folder = await folderOf({
    'images/a.png': 'image',
    'images/b.png': 'image',
    'annotations/instances_train.json': coco(['a.png', 'b.png'])
      .replace(/"(id|image_id)": 1,(?=\s*"(file_name|image_id|category_id)")/g, '"$1": 9007199254740992,')
      .replace(/"(id|image_id)": 2,(?=\s*"(file_name|image_id|category_id)")/g, '"$1": 9007199254740993,'),
  })
  const large = await check(folder)
  assert.deepEqual([large.boxes, large.problems], [{ 'train/a': [BOX], 'train/b': [BOX] }, []])
})

test('an empty annotation, float pixels, and other single faults are refused by name', async () => {
  const voc = await check(
    await folderOf({
      'JPEGImages/a.png': 'image',
      'JPEGImages/b.png': 'image',
      'JPEGImages/c.png': 'image',
      'Annotations/a.xml': xml('a.png'),
      'Annotations/b.xml': '\n',
      'Annotations/c.xml': '<annotation></annotation>',
    }),
  )
  assert.deepEqual(voc.problems, [
    'Annotations/b.xml: syntax: expected an <annotation> element, found an empty file',
    'Annotations/c.xml:1: syntax: expected an <annotation> element, found one with nothing in it',
  ])
  assert.deepEqual(voc.unlabelled, [])
  const float = await check(
    await folderOf({
      'images/a.tif': floatTiff(),
      'images/b.png': 'image',
      'labels/a.txt': LINE,
      'labels/b.txt': LINE,
      'classes.txt': 'car\n',
    }),
  )
  assert.match(
    float.problems.join(),
    /a\.tif: corrupt image: .*pixels of type float, not 8 or 16 bits a channel/,
  )
})

test(
  'readers end: deep nesting, entities, comments and aliases are refused with the limit',
  { timeout: 120_000 },
  async () => {
    const said = async (name: string, text: string) =>
      (
        await check(
          await folderOf({
            'images/a.png': 'image',
            'images/b.png': 'image',
            'labels/b.txt': LINE,
            'classes.txt': 'car\n',
            [name]: text,
          }),
        )
      ).problems.join()
    assert.match(
      await said('instances_train.json', `${'['.repeat(100_000)}`),
      /instances_train\.json: limit: expected JSON nested at most 100 deep/,
    )
    assert.match(
      await said('labels/a.xml', `<annotation>${'<a>'.repeat(100_000)}`),
      /a\.xml:1: limit: .*nested more than 100 deep/,
    )
    assert.match(
      await said(
        'labels/a.xml',
        '<!DOCTYPE a [<!ENTITY b "bb">]><annotation><filename>&b;</filename></annotation>',
      ),
      /a\.xml:1: syntax: .*entity/,
    )
    assert.match(await said('labels/a.xml', `<annotation>${'<!--'.repeat(250_000)}`), /a\.xml:1: syntax: /)
    const yaml = (text: string) => said('data.yaml', `train: images\nnames: [car]\n${text}`)
    assert.match(
      await yaml(`x: ${'['.repeat(1000)}`),
      /data\.yaml: limit: expected YAML nested at most 100 deep/,
    )
    assert.match(
      await yaml(`x:${' '.repeat(70_000)}1`),
      /data\.yaml: limit: expected at most 1000 blanks in a row/,
    )
    const bomb = Array.from(
      { length: 12 },
      (_, i) =>
        `a${i}: &a${i} [${Array(10)
          .fill(i === 0 ? 'x' : `*a${i - 1}`)
          .join()}]`,
    ).join('\n')
    assert.match(await yaml(bomb), /data\.yaml:\d+: limit: expected at most 100 aliases/)
    // Many objects in one file take time in proportion.
    const objects = Array.from(
      { length: 40_000 },
      () =>
        '<object><name>car</name><bndbox><xmin>24</xmin><ymin>12</ymin><xmax>40</xmax><ymax>36</ymax></bndbox></object>\n',
    )
    const many = await openDataset(
      await folderOf({
        'JPEGImages/a.png': 'image',
        'Annotations/a.xml': `<annotation>\n${objects.join('')}</annotation>`,
      }),
      { validation: false },
    )
    assert.equal(many.splits.train?.[0]?.boxes?.length, 40_000)
  },
)
