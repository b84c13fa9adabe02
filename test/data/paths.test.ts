/** Which image a label belongs to, which split an image, and how others write paths. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { openDataset } from '../../lib/data'
import { BOX, check, coco, folderOf, jpeg, LINE, xml } from './sets/small'

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
  const followed = await check(folder, { outside: true })
  assert.ok(followed.leftOut.includes('1 a link to a folder that the data folder lies in'))
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
