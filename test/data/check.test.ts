import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { checkDataset } from '../../lib/data/check'
import { linesOfKeys } from '../../lib/data/intake/json-lines'
import { openDataset } from '../../lib/data/open'

const fixtures = join(__dirname, 'fixtures')
const scratch = mkdtempSync(join(tmpdir(), 'check-test-'))
after(() => rmSync(scratch, { recursive: true }))

const voc = (objects: string) =>
  `<annotation>\n<size><width>64</width><height>40</height></size>\n${objects}</annotation>\n`
const object = (name: string, ...[x1, y1, x2, y2]: number[]) =>
  `<object><name>${name}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>\n`

/** A data set with one of every mistake. */
function broken(name: string): string {
  const folder = join(scratch, name)
  cpSync(join(fixtures, 'images'), join(folder, 'images'), { recursive: true })
  cpSync(join(fixtures, 'voc'), join(folder, 'Annotations'), { recursive: true })
  writeFileSync(join(folder, 'classes.txt'), 'car\nlight\n')
  const annotation = (id: string, text: string) =>
    writeFileSync(join(folder, 'Annotations', `${id}.xml`), text)
  annotation(
    'train/a_001',
    voc(
      object('car', 8, 10, 40, 30) +
        object('tram', 1, 1, 5, 5) +
        object('car', 50, 30, 70, 40) +
        object('light', 9, 9, 9, 20),
    ),
  )
  annotation('train/lost', voc(object('car', 1, 1, 9, 9)))
  annotation('train/cut', '<annotation>\n<object>\n')
  // The held-out image is also among the training images.
  cpSync(join(folder, 'images/test/c_001.jpg'), join(folder, 'images/train/copy.jpg'))
  annotation('train/copy', voc(object('light', 16, 4, 24, 20)))
  // A header that promises more than there is.
  const jpeg = readFileSync(join(folder, 'images/train/a_002.jpg'))
  writeFileSync(join(folder, 'images/train/a_002.jpg'), jpeg.subarray(0, jpeg.length - 200))
  // A size that is not the image's.
  cpSync(join(folder, 'images/train/b_001.jpg'), join(folder, 'images/train/b_002.jpg'))
  annotation('train/b_002', voc(''))
  return folder
}

test('a sound data set has no problems', async () => {
  const report = await checkDataset(fixtures, { annotations: 'voc' })
  assert.deepEqual(report.problems, [])
  assert.deepEqual(report.counts, { train: { images: 3, boxes: 3 }, test: { images: 1, boxes: 1 } })
})

test('every problem is listed with its file and line', async () => {
  const folder = broken('all')
  const { problems } = await checkDataset(folder)
  const listed = problems.map(
    ({ kind, file, line }) => `${relative(folder, file)}${line ? `:${line}` : ''} ${kind}`,
  )
  assert.deepEqual(listed, [
    'Annotations/train/a_001.xml:4 unknown class',
    'Annotations/train/a_001.xml:5 outside image',
    'Annotations/train/a_001.xml:6 empty box',
    'Annotations/train/b_002.xml:1 wrong size',
    'Annotations/train/cut.xml:3 syntax',
    'Annotations/train/lost.xml:1 missing image',
    'images/train/a_002.jpg corrupt image',
    'images/train/copy.jpg duplicate image',
  ])
  const outside = problems.find(({ kind }) => kind === 'outside image')
  assert.match(
    outside?.message ?? '',
    /expected a box within 0 \.\. 64, 0 \.\. 40 of .*, found \(50, 30, 70, 40\)/,
  )
})

/** The fixtures' images with labels in one notation, to be damaged. */
function notation(name: string, place: string, title = name): string {
  const folder = join(scratch, `sound-${title}`)
  cpSync(join(fixtures, 'images'), join(folder, 'images'), { recursive: true })
  cpSync(join(fixtures, name), join(folder, place), { recursive: true })
  writeFileSync(join(folder, 'classes.txt'), 'car\nlight\n')
  return folder
}

async function emptySplits(folder: string): Promise<string[]> {
  const { problems } = await checkDataset(folder)
  return problems.flatMap(({ kind, message }) => (kind === 'empty split' ? [message] : []))
}

test('an empty split is a problem: without boxes, without images, as a folder, a file or a list', async () => {
  const folder = broken('empty')
  writeFileSync(join(folder, 'Annotations/test/c_001.xml'), voc(''))
  assert.deepEqual(await emptySplits(folder), ['expected boxes in test, found none in 1 images'])
  const none = ['expected images in validation, found none that can be read']
  const yolo = notation('yolo', 'labels')
  mkdirSync(join(yolo, 'images/val'))
  assert.deepEqual(await emptySplits(yolo), none)
  const list = notation('list', 'annotations')
  writeFileSync(join(list, 'annotations/val.txt'), '# nothing yet\n')
  assert.deepEqual(await emptySplits(list), none)
  const coco = notation('coco', 'annotations')
  const document = JSON.parse(readFileSync(join(coco, 'annotations/instances_test.json'), 'utf8')) as object
  const write = (value: object) =>
    writeFileSync(join(coco, 'annotations/instances_val.json'), JSON.stringify(value, null, 1))
  write({ ...document, images: [], annotations: [] })
  assert.deepEqual(await emptySplits(coco), none)
  // A file that lacks a part is not mistaken for something else.
  write({ ...document, categories: undefined })
  const { problems } = await checkDataset(coco)
  assert.deepEqual(
    problems.map(({ file, line, key, kind }) => [relative(coco, file), line, key, kind]),
    [
      ['', undefined, 'validation', 'empty split'],
      ['annotations/instances_val.json', 1, 'categories', 'syntax'],
    ],
  )
})

test('a list of classes that is empty, or names a class twice, is a problem', async () => {
  const folder = join(scratch, 'classes')
  cpSync(join(fixtures, 'images'), join(folder, 'images'), { recursive: true })
  cpSync(join(fixtures, 'voc'), join(folder, 'Annotations'), { recursive: true })
  writeFileSync(join(folder, 'classes.txt'), '\n')
  const empty = await checkDataset(folder)
  assert.deepEqual(
    empty.problems.map(({ kind, message }) => [kind, message]),
    [['syntax', 'expected a list of class names, found an empty one']],
  )
  assert.deepEqual(empty.classes, ['car', 'light'])
  writeFileSync(join(folder, 'classes.txt'), 'car\nlight\ncar\n')
  await assert.rejects(
    openDataset(folder),
    /classes: duplicate id: expected every class once, found "car" again/,
  )
})

test('the same mistakes have the same names in every notation', async () => {
  // Outside, unknown class, zero width, negative width.
  const boxes = [
    [0, 50, 30, 70, 40],
    [2, 1, 1, 5, 5],
    [1, 9, 9, 9, 20],
    [0, 30, 20, 20, 30],
  ] as const
  const names = ['car', 'light', 'tram']
  const image = 'train/a_001'
  const spoil: Record<string, (folder: string) => void> = {
    yolo: (folder) => {
      const lines = boxes.map(([c, x1, y1, x2, y2]) =>
        [c, (x1 + x2) / 128, (y1 + y2) / 80, (x2 - x1) / 64, (y2 - y1) / 40].join(' '),
      )
      writeFileSync(join(folder, `labels/${image}.txt`), lines.join('\n'))
    },
    kitti: (folder) => {
      const lines = boxes.map(([c, ...box]) => `${names[c]} 0 0 0 ${box.join(' ')} 0 0 0 0 0 0 0`)
      writeFileSync(join(folder, `labels/${image}.txt`), lines.join('\n'))
    },
    voc: (folder) => {
      const objects = boxes.map(([c, ...box]) => object(names[c]!, ...box))
      writeFileSync(join(folder, `labels/${image}.xml`), voc(objects.join('')))
    },
    list: (folder) => {
      const fields = boxes.map(([c, ...box]) => `${box.join()},${c}`)
      writeFileSync(join(folder, 'labels/train.txt'), `../images/${image}.jpg ${fields.join(' ')}\n`)
    },
    scalabel: (folder) => {
      const labels = boxes.map(([c, x1, y1, x2, y2]) => ({ category: names[c], box2d: { x1, y1, x2, y2 } }))
      const frames = [{ name: 'a_001.jpg', labels }]
      writeFileSync(join(folder, 'labels/train.json'), JSON.stringify(frames, null, 1))
    },
    coco: (folder) => {
      const annotations = boxes.map(([c, x1, y1, x2, y2]) => ({
        image_id: 1,
        category_id: c,
        bbox: [x1, y1, x2 - x1, y2 - y1],
      }))
      const images = [{ id: 1, file_name: `${image}.jpg`, width: 64, height: 40 }]
      const categories = names.slice(0, 2).map((name, id) => ({ id, name }))
      const document = { images, categories, annotations }
      writeFileSync(join(folder, 'labels/instances_train.json'), JSON.stringify(document, null, 1))
    },
  }
  for (const [name, write] of Object.entries(spoil)) {
    const folder = notation(`${name}`, 'labels')
    write(folder)
    const format = name
    const report = await checkDataset(folder, { format, annotations: 'labels', classes: ['car', 'light'] })
    const found = report.problems.filter(({ line }) => line !== undefined)
    assert.deepEqual(
      found.map(({ kind }) => kind).sort(),
      ['empty box', 'empty box', 'outside image', 'unknown class'],
      name,
    )
    const clean = report.clean.splits.train?.find(({ id }) => id === image)
    assert.deepEqual(
      clean?.boxes?.map(({ x1, y1, x2, y2, label }) => [label, x1, y1, x2, y2]),
      [[0, 50, 30, 64, 40]],
      name,
    )
  }
})

test('the line of a key in JSON', () => {
  const text = '{\n "a": [1, {"b,]}\\"": [\n2,\n\n3]}\n, "x"],\n "c": {\n}}'
  const lines = linesOfKeys(text, ['a[0]', 'a[1]', 'a[2]', 'c', 'c.gone.deep', 'nothing'])
  assert.deepEqual(Object.fromEntries(lines), {
    'a[0]': 2,
    'a[1]': 2,
    'a[2]': 6,
    c: 7,
    'c.gone.deep': 7,
    nothing: 1,
  })
  assert.equal(linesOfKeys('[\n[\n[5]]]', ['[0][0][0]']).get('[0][0][0]'), 3)
})

/** Runs the command as the command line does. */
function dataset(...args: string[]) {
  const program = `require(${JSON.stringify(join(__dirname, '../../lib/workbench/commands/dataset'))}).datasetCommand().parseAsync(['node', 'dataset', ...process.argv.slice(1)])`
  return spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', program, ...args], { encoding: 'utf8' })
}

test('dataset check --fix writes a clean copy and leaves the originals alone', async () => {
  const folder = broken('fix')
  const fingerprint = () =>
    execFileSync('sh', ['-c', 'find . -type f | sort | xargs cksum'], { cwd: folder }).toString()
  const before = fingerprint()
  const fixed = join(scratch, 'fixed')
  const run = dataset('check', folder, '--fix', fixed)
  assert.equal(run.status, 1, run.stderr)
  assert.match(run.stdout, /a_001\.xml:4: unknown class: expected one of car, light, found "tram"/)
  assert.match(run.stdout, /8 problems/)
  assert.equal(fingerprint(), before)
  const clean = await openDataset(fixed, { validation: false })
  assert.deepEqual(
    clean.splits.train?.map(({ id, boxes }) => [
      id.split('/').pop(),
      boxes?.map((b) => [b.x1, b.y1, b.x2, b.y2]),
    ]),
    [
      [
        'a_001',
        [
          [8, 10, 40, 30],
          [50, 30, 64, 40],
        ],
      ],
      ['b_001', []],
    ],
  )
  assert.deepEqual((await checkDataset(fixed)).problems, [])
})

test('data that a list cannot hold make --fix write COCO, and --to list says what is lost', async () => {
  const folder = notation('voc', 'Annotations', 'flags') // a_002 is difficult
  const fixed = join(scratch, 'fixed-flags')
  const run = dataset('check', folder, '--fix', fixed)
  assert.equal(run.status, 0, run.stderr)
  const { splits } = await openDataset(fixed, { validation: false })
  assert.equal(splits.train?.flatMap(({ boxes = [] }) => boxes).filter((box) => box.difficult).length, 1)
  const listed = dataset('convert', folder, join(scratch, 'listed'), '--to', 'list')
  assert.equal(listed.status, 0, listed.stderr)
  assert.match(listed.stderr, /1 boxes are difficult, crowds or have areas, which a list does not hold/)
})

test('dataset check --json and dataset convert', () => {
  const checked = dataset('check', fixtures, '--annotations', 'voc', '--json')
  assert.equal(checked.status, 0, checked.stderr)
  const { account, table, ...report } = JSON.parse(checked.stdout)
  assert.deepEqual(table[1], {
    ...{ class: 'car', split: 'train', objects: 2, images: 2 },
    sizes: { small: 1, medium: 1, large: 0 },
  })
  assert.deepEqual(account.read, [{ notation: 'Pascal VOC', files: 4, images: 4, boxes: 4 }])
  assert.deepEqual(report, {
    emptied: [],
    format: 'voc',
    classes: ['car', 'light'],
    counts: { test: { images: 1, boxes: 1 }, train: { images: 3, boxes: 3 } },
    problems: [],
  })
  const target = join(scratch, 'coco')
  const converted = dataset('convert', fixtures, target, '--annotations', 'voc', '--to', 'coco')
  assert.equal(converted.status, 0, converted.stderr)
  const again = dataset('check', target)
  assert.match(again.stdout, /coco, 2 classes \(car, light\): 0 problems/)
})
