import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { checkDataset } from '../../lib/data/check'
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
  // The held-out image also among the training images.
  cpSync(join(folder, 'images/test/c_001.jpg'), join(folder, 'images/train/copy.jpg'))
  annotation('train/copy', voc(object('light', 16, 4, 24, 20)))
  // A header that says more than there is.
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
    'Annotations/train/b_002.xml wrong size',
    'Annotations/train/cut.xml missing image',
    'Annotations/train/cut.xml:1 syntax',
    'Annotations/train/lost.xml missing image',
    'images/train/a_002.jpg corrupt image',
    'images/train/copy.jpg duplicate image',
  ])
  const outside = problems.find(({ kind }) => kind === 'outside image')
  assert.match(
    outside?.message ?? '',
    /expected a box within 0 \.\. 64, 0 \.\. 40 of .*, found \(50, 30, 70, 40\)/,
  )
})

test('an empty split is a problem', async () => {
  const folder = broken('empty')
  writeFileSync(join(folder, 'Annotations/test/c_001.xml'), voc(''))
  const { problems } = await checkDataset(folder)
  assert.deepEqual(
    problems.filter(({ kind }) => kind === 'empty split').map(({ message }) => message),
    ['expected boxes in test, found none in 1 images'],
  )
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
  assert.match(run.stdout, /9 problems/)
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

test('dataset check --json and dataset convert', () => {
  const checked = dataset('check', fixtures, '--annotations', 'voc', '--json')
  assert.equal(checked.status, 0, checked.stderr)
  assert.deepEqual(JSON.parse(checked.stdout), {
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
