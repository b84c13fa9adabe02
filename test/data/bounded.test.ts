/** Files that ask for more than there is: time, depth, memory, pixels; what is read ends, or is refused with file and limit. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkDataset, describeProblem, readClassNames, readImage, readImageSize } from '../../lib/data'
import { linesOfKeys } from '../../lib/data/intake/json-lines'
import { filledLines } from '../../lib/data/intake/text'
import { readEvaluation } from '../../lib/evaluate'
import { check, coco, folderOf, LINE, png, xml } from './sets/small'

/** The problems that a check of some files reports. */
async function problemsOf(files: Record<string, string | Buffer>): Promise<string[]> {
  return (await check(await folderOf(files))).problems
}

test('lines end with LF, CR LF or CR, keep their numbers, and are never split into an array first', () => {
  assert.deepEqual(filledLines('a\r\n\r\n b \rc\n\n', 'x'), [
    ...[
      { text: 'a', line: 1 },
      { text: 'b', line: 3 },
      { text: 'c', line: 4 },
    ],
  ])
  assert.deepEqual(filledLines('\n'.repeat(3_000_000), 'x'), [])
  assert.deepEqual(filledLines('', 'x'), [])
})

test('fields of many digits, blank lines and prompts without end are read in proportion to their length', async () => {
  const others = { 'classes.txt': 'car\n', 'images/a.png': 'image' }
  assert.match(
    (
      await problemsOf({ 'labels/a.txt': `0 0.5 0.5 0.1 ${'1'.repeat(300_000)}x\n${LINE}`, ...others })
    ).join(),
    /labels\/a\.txt:1: syntax: height: expected a number, found "1{57}\.\.\."/,
  )
  await problemsOf({ 'obj.data': `${'\n'.repeat(300_000)}x`, 'labels/a.txt': LINE, ...others })
  const set = await folderOf({
    'truth.json': coco(['a.png']),
    'found.txt': `${'Enter Image Path: '.repeat(30_000)}\na.png: Predicted in 1 ms\ncar: 9%\t(left_x: 24 top_y: 12 width: 16 height: 24)\n`,
  })
  const { detections } = await readEvaluation({
    truth: join(set, 'truth.json'),
    detections: join(set, 'found.txt'),
  })
  assert.deepEqual([...detections.box], [24, 12, 40, 36])
})

test('lines of keys are looked for to the end of a text, where it is cut off too', () => {
  assert.deepEqual(
    [...linesOfKeys('{"a": [\n1,\n{"b"', ['a[1].b', 'a[0]'])],
    [
      ['a[1].b', 3],
      ['a[0]', 2],
    ],
  )
  assert.deepEqual([...linesOfKeys('["', ['[0]'])], [['[0]', 1]])
})

test('XML is bounded in size, and knows no entities but its own', async () => {
  const large = `<annotation>${' '.repeat(2 ** 24)}</annotation>`
  assert.match(
    (await problemsOf({ 'a.xml': large, 'a.png': 'image', 'b.xml': xml('b.png'), 'b.png': 'image' })).join(),
    /a\.xml: limit: expected at most 16777216 characters of XML, found 16777241/,
  )
  const entity = '<!DOCTYPE a [<!ENTITY x "car"><!ENTITY y "&x;&x;">]>'
  assert.match(
    (
      await problemsOf({
        'a.xml': entity + xml('a.png', undefined, undefined, '&y;'),
        'a.png': 'image',
        'b.xml': xml('b.png'),
        'b.png': 'image',
      })
    ).join(),
    /a\.xml:2: syntax: expected well-formed XML, found: undefined entity/,
  )
})

test('corners that a sum would lose are refused with line or key', async () => {
  const others = { 'classes.txt': 'car\n', 'images/a.png': 'image' }
  assert.match(
    (await problemsOf({ 'labels/a.txt': `0 1e308 0.5 1e308 0.5\n${LINE}`, ...others })).join(),
    /labels\/a\.txt:1: limit: expected corners that a number can hold/,
  )
  assert.match(
    (await problemsOf({ 'labels/a.txt': `0 1e999 0.5 0.1 0.5\n${LINE}`, ...others })).join(),
    /labels\/a\.txt:1: syntax: cx: expected a number, found "1e999"/,
  )
  const found = (bbox: string) => `[{"image_id": 1, "category_id": 1, "bbox": ${bbox}, "score": 0.5}]`
  for (const [bbox, message] of [
    ['[1e308, 0, 1e308, 1]', /found\.json:1:\[0\]\.bbox: limit: expected corners that a number can hold/],
    ['[0, 0, 1e999, 1]', /found\.json:1:\[0\]\.bbox\[2\]: syntax: expected a finite number, found Infinity/i],
  ] as const) {
    const set = await folderOf({ 'truth.json': coco(['a.png']), 'found.json': found(bbox) })
    const read = readEvaluation({ truth: join(set, 'truth.json'), detections: join(set, 'found.json') })
    await assert.rejects(read, message)
  }
})

test('a check ends where there are more problems than anybody reads', async () => {
  const document = JSON.parse(coco(['a.png'])) as { annotations: unknown[] }
  document.annotations = new Array<unknown>(100_001).fill(0)
  const set = await folderOf({ 'instances_train.json': JSON.stringify(document), 'a.png': 'image' })
  await assert.rejects(checkDataset(set), /expected at most 100000 problems, found more; mend the first ones/)
})

test('images are of the types that are read, whatever their names, and of a size that finds room', async () => {
  const bomb = await png()
  bomb.writeUInt32BE(100_000, 16)
  bomb.writeUInt32BE(100_000, 20)
  const set = await folderOf({
    'bomb.png': bomb,
    'drawing.png':
      '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><image href="file:///etc/passwd"/></svg>',
  })
  for (const read of [readImage, readImageSize]) {
    await assert.rejects(read(join(set, 'bomb.png')), /bomb\.png: expected a readable image \(.*\), found: /)
    await assert.rejects(
      read(join(set, 'drawing.png')),
      /drawing\.png: expected a readable image \(.*\), found: svg; convert the image/,
    )
    await assert.rejects(
      read(join(set, 'none.png')),
      /none\.png: expected a readable image \(.*\), found: nothing/,
    )
    await assert.rejects(
      read('/dev/zero'),
      /\/dev\/zero: expected a readable image \(.*\), found: a pipe or a device/,
    )
  }
})

test('pipes and devices are no files, and are not waited for', async (context) => {
  const set = await folderOf({ 'labels/a.txt': LINE, 'classes.txt': 'car\n', 'images/a.png': 'image' })
  await assert.rejects(readClassNames('/dev/zero'), /\/dev\/zero: expected a file, found a pipe or a device/)
  if (spawnSync('mkfifo', [join(set, 'labels/b.txt'), join(set, 'images/b.png')]).status !== 0)
    return context.skip('no mkfifo')
  const { problems, account } = await checkDataset(set)
  assert.deepEqual(problems.map(describeProblem), [])
  assert.ok(account.leftOut.some(({ rule, count }) => rule === 'no file and no folder' && count === 2))
})
