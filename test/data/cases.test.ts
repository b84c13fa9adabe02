/** Kinds of fault in users' data sets that readers get wrong, and the right result for each. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { createLoader, openDataset, readImage } from '../../lib/data'
import { datasetCommand } from '../../lib/workbench/commands/dataset'
import { BOX, type CocoDocument, check, coco, floatTiff, folderOf, jpeg, LINE, xml } from './sets/small'

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
    '1 found otherwise than written: by the name of the label file, which names another image inside',
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

test('an image is the one at the written path, never a namesake elsewhere', async () => {
  const missing = await check(
    await folderOf({
      'annotations/instances_train.json': coco(['camA/1.png', 'camB/2.png']),
      'images/camB/1.png': 'image',
      'images/camB/2.png': 'image',
    }),
  )
  assert.deepEqual(missing.boxes, { 'train/camB/2': [BOX] })
  assert.match(
    missing.problems[0]!,
    /instances_train\.json:\d+:images\[0\]: missing image: .*camA\/1\.png .*there is images\/camB\/1\.png/,
  )
  assert.deepEqual(missing.leftOut, ['1 in no annotation'])
  const voc = await check(
    await folderOf({
      'Annotations/seq1/1.xml': xml('1.png'),
      'Annotations/seq1/2.xml': xml('2.png'),
      'JPEGImages/seq1/2.png': 'image',
      'JPEGImages/seq2/1.png': 'image',
    }),
  )
  assert.deepEqual(voc.boxes['train/seq1/2'], [BOX])
  assert.match(
    voc.problems[0]!,
    /seq1\/1\.xml:1: missing image: .*found JPEGImages\/seq2\/1\.png, which lies elsewhere/,
  )
  // Two types of one name are two images.
  const twins = await check(
    await folderOf({
      'annotations/instances_train.json': coco(['a.png', 'a.jpg']),
      'images/a.png': 'image',
      'images/a.jpg': await jpeg(),
    }),
  )
  assert.deepEqual(Object.keys(twins.boxes).sort(), ['train/a.jpg', 'train/a.png'])
  const ambiguous = await check(
    await folderOf({
      'images/a.png': 'image',
      'images/a.jpg': await jpeg(),
      'labels/a.txt': LINE,
      'classes.txt': 'car\n',
    }),
  )
  assert.match(
    ambiguous.problems.join(),
    /labels\/a\.txt: missing image: .*found images\/a\.jpg and images\/a\.png/,
  )
})

test('a file that belongs to an image is its label, whatever its name', async () => {
  const names = ['test0001', 'license_plate_1', 'readme', 'train', 'obj', 'names_2']
  const files = Object.fromEntries(
    names.flatMap((name) => [
      [`images/${name}.png`, 'image'],
      [`labels/${name}.txt`, LINE],
    ]),
  )
  const { boxes } = await check(await folderOf({ ...files, 'classes.txt': 'car\n' }))
  assert.deepEqual(Object.keys(boxes).sort(), names.map((name) => `train/${name}`).sort())
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
      assert.deepEqual(
        Array.from(images, (value) => Math.round(value * 255)),
        [...upright.pixels],
      )
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

test('a split that cannot be found is an error with file, line and path, and no image changes its split', async () => {
  const folder = await folderOf({
    'data.yaml': 'names: [car]\ntrain: images_a\nval: images_b\n',
    'train/images/a.png': 'image',
    'train/labels/a.txt': LINE,
  })
  const { problems, boxes, leftOut } = await check(folder)
  assert.deepEqual(
    problems.filter((line) => line.startsWith('data.yaml')),
    [
      'data.yaml:2:train: missing file: expected the images of train at images_a, found nothing there',
      'data.yaml:3:validation: missing file: expected the images of validation at images_b, found nothing there',
    ],
  )
  assert.deepEqual(boxes, {})
  assert.deepEqual(leftOut, [
    '1 in none of the lists of data.yaml',
    '1 of an image in none of the lists of data.yaml',
  ])
  await assert.rejects(openDataset(folder), /data\.yaml:2:train: missing file/)
  const line = await check(
    await folderOf({
      'data.yaml': 'train: train.txt\nnames: [car]\n',
      'train.txt': 'images/a.png\nimages/gone.png\n',
      'images/a.png': 'image',
      'labels/a.txt': LINE,
    }),
  )
  assert.deepEqual(line.problems, [
    'train.txt:2: missing image: expected one image images/gone.png, found none at that path',
  ])
})

test('paths as others write them: blanks, back slashes, drives, Darknet’s folder, Unicode forms, percent signs, case', async () => {
  const set = (lists: Record<string, string>, image = 'images/my photo (0).png') =>
    folderOf({
      [image]: 'image',
      [image.replace('images', 'labels').replace('.png', '.txt')]: LINE,
      'data.yaml': 'train: train.txt\nnames: [car]\n',
      ...lists,
    })
  const plain = await check(await set({ 'train.txt': './images/my photo (0).png\n' }))
  assert.deepEqual([plain.boxes, plain.noted], [{ 'train/my photo (0)': [BOX] }, []])
  const windows = await check(await set({ 'train.txt': 'D:\\work\\images\\my photo (0).png\r\n' }))
  assert.deepEqual(windows.boxes, plain.boxes)
  assert.match(
    windows.noted.join(),
    /"D:\/work\/" taken as a folder of the data set, back slashes taken as slashes/,
  )
  const darknet = await check(
    await folderOf({
      'obj.data':
        'classes = 1\nnames = data/obj.names\ntrain = data/train.txt\nvalid = data/valid.txt\nbackup = backup/\n',
      'obj.names': 'car\n',
      'train.txt': 'data/obj_train_data/a.png\n',
      'valid.txt': 'data/obj_valid_data/b.png\n',
      'obj_train_data/a.png': 'image',
      'obj_train_data/a.txt': LINE,
      'obj_valid_data/b.png': 'image',
      'obj_valid_data/b.txt': LINE,
    }),
  )
  assert.deepEqual(darknet.boxes, { 'train/obj_train_data/a': [BOX], 'validation/obj_valid_data/b': [BOX] })
  const named = async (written: string, lies: string) =>
    check(
      await folderOf({ [`images/${lies}`]: 'image', 'annotations/instances_train.json': coco([written]) }),
    )
  for (const [written, lies, guess] of [
    ['übung.png'.normalize('NFC'), 'übung.png'.normalize('NFD'), /another Unicode form/],
    ['my%20photo.png', 'my photo.png', /percent signs decoded/],
    ['images\\a.png', 'a.png', /back slashes/],
    ['A.PNG', 'a.png', /capital and small letters/],
  ] as const) {
    const said = await named(written, lies)
    assert.deepEqual(Object.values(said.boxes), [[BOX]], written)
    assert.match(said.noted.join(), guess)
  }
  // A path that could mean two images means none.
  const two = await check(
    await folderOf({
      'images/a.png': 'image',
      'images/A.png': 'image',
      'annotations/instances_train.json': coco(['A.PNG']),
    }),
  )
  assert.match(two.problems.join(), /missing image/)
  const label = await check(
    await folderOf({
      'images/Capture_décran.png': 'image',
      'labels/Capture_d%C3%A9cran.txt': LINE,
      'classes.txt': 'car\n',
    }),
  )
  assert.deepEqual(label.boxes, { 'train/Capture_décran': [BOX] })
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
  assert.deepEqual(bdd.leftOut, ['1 a label without box2d (a lane, an area) is no box'])
  const info = await check(
    await folderOf({
      'images/a.png': 'image',
      'annotations/image_info_test.json': coco(['a.png'], {
        change: (d) => ({ ...d, annotations: undefined }),
      }),
    }),
  )
  assert.deepEqual([info.problems, info.unlabelled], [[], ['1 its annotation says nothing of labels']])
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
    '1 a list of ImageSets that is no split',
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
  assert.deepEqual([kitti.boxes, kitti.leftOut], [{ 'train/a': [BOX] }, ['1 a DontCare region is no object']])
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
  assert.deepEqual(bdd.unlabelled, ['1 its annotation says nothing of labels'])
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

test('a folder is listed once, whatever links lead to it, and links out of it are followed only when asked', async () => {
  const outside = await folderOf({ 'photos/o.png': 'image' })
  const folder = await folderOf({
    'images/a.png': 'image',
    'labels/a.txt': LINE,
    'labels/o.txt': LINE,
    'classes.txt': 'car\n',
  })
  symlinkSync('..', join(folder, 'images/up'))
  symlinkSync('/', join(folder, 'root'))
  symlinkSync('nowhere', join(folder, 'broken'))
  symlinkSync(join(outside, 'photos'), join(folder, 'images/more'))
  const inside = await check(folder)
  assert.deepEqual(Object.keys(inside.boxes), ['train/a'])
  assert.deepEqual(inside.leftOut.slice(0, 3).sort(), [
    '1 a link to nothing',
    '1 a link to what is listed already',
    '2 a link out of the data folder (--outside follows it)',
  ])
  assert.match(inside.problems.join(), /labels\/o\.txt: missing image/)
  const named = await folderOf({ 'annotations/instances_train.json': coco([join(outside, 'photos/o.png')]) })
  assert.match((await check(named)).problems.join(), /found it outside; --outside reads it/)
  const { splits } = await openDataset(named, { outside: true, validation: false })
  assert.equal(splits.train?.length, 1)
})

test('a folder may hold more files than a call has arguments', () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'many-')), 'set')
  const program = `
    const { mkdirSync, writeFileSync } = require('node:fs')
    mkdirSync(process.argv[1])
    for (let i = 0; i < 30000; i++) writeFileSync(process.argv[1] + '/' + i + '.png', '')
    require(${JSON.stringify(join(__dirname, '../../lib/data/intake/listing'))})
      .listFolder(process.argv[1]).then(({ files }) => console.log(files.length))`
  // With a stack of 200 kB, this number of files is as much too many as 150,000 with the usual one.
  const args = ['--stack-size=200', '--require', 'tsx/cjs', '-e', program, folder]
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' })
  rmSync(dirname(folder), { recursive: true })
  assert.equal(run.stdout, '30000\n', run.stderr)
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
    assert.match(await yaml(bomb), /data\.yaml: limit: expected at most 100 aliases/)
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
