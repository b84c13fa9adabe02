import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { encodePng } from '../../lib/data'
import { evaluateCoco, evaluateVoc, readEvaluation } from '../../lib/evaluate'
import { evaluateCommand } from '../../lib/workbench/commands/evaluate'

const folder = mkdtempSync(join(tmpdir(), 'evaluate-'))
after(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Buffer): string {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

const SIDE = { width: 300, height: 200 } // no side divides into six decimals
const TRUTHS = {
  a: [
    ['dog', 10, 20, 60, 90],
    ['cat', 100, 20, 157, 83],
  ],
  b: [['dog', 1, 2, 41, 52]],
  c: [],
} as Record<string, [string, number, number, number, number][]>
const DETECTIONS = {
  a: [
    ['dog', 0.9, 10, 20, 60, 55], // IoU exactly 0.5
    ['cat', 0.8, 101, 21, 158, 84],
  ],
  b: [['cat', 0.7, 1, 2, 41, 52]],
} as Record<string, [string, number, number, number, number, number][]>
const CLASSES = ['cat', 'dog']

function coco() {
  const images = Object.keys(TRUTHS).map((name, id) => ({
    id: id + 7,
    file_name: `images/${name}.png`,
    ...SIDE,
  }))
  const idOf = new Map(images.map(({ id }, i) => [Object.keys(TRUTHS)[i]!, id]))
  const annotations = Object.entries(TRUTHS).flatMap(([name, boxes]) =>
    boxes.map(([label, x1, y1, x2, y2]) => ({
      image_id: idOf.get(name),
      category_id: CLASSES.indexOf(label) + 3,
      bbox: [x1, y1, x2 - x1, y2 - y1],
      iscrowd: 0,
    })),
  )
  const categories = CLASSES.map((name, i) => ({ id: i + 3, name }))
  const results = Object.entries(DETECTIONS).flatMap(([name, boxes]) =>
    boxes.map(([label, score, x1, y1, x2, y2]) => ({
      image_id: idOf.get(name),
      category_id: CLASSES.indexOf(label) + 3,
      bbox: [x1, y1, x2 - x1, y2 - y1],
      score,
    })),
  )
  return {
    truth: write('truth.json', JSON.stringify({ images: [...images].reverse(), annotations, categories })),
    detections: write('results.json', JSON.stringify(results)),
  }
}

function voc() {
  for (const [name, boxes] of Object.entries(TRUTHS)) {
    const objects = boxes.map(
      ([label, x1, y1, x2, y2]) =>
        `<object><name>${label}</name><difficult>0</difficult><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin>` +
        `<xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>`,
    )
    write(
      `voc/${name}.xml`,
      `<annotation><filename>${name}.png</filename><size><width>300</width><height>200</height></size>${objects.join('')}</annotation>`,
    )
  }
  const lines = new Map(CLASSES.map((name) => [name, [] as string[]]))
  for (const [name, boxes] of Object.entries(DETECTIONS)) {
    for (const [label, ...numbers] of boxes) lines.get(label)!.push([name, ...numbers].join(' '))
  }
  for (const [label, list] of lines) write(`voc-results/comp4_det_val_${label}.txt`, list.join('\n'))
  return { truth: join(folder, 'voc'), detections: join(folder, 'voc-results') }
}

async function yolo() {
  const png = await encodePng({ ...SIDE, pixels: new Uint8Array(3 * SIDE.width * SIDE.height) })
  const shares = (x1: number, y1: number, x2: number, y2: number) =>
    [
      (x1 + x2) / 2 / SIDE.width,
      (y1 + y2) / 2 / SIDE.height,
      (x2 - x1) / SIDE.width,
      (y2 - y1) / SIDE.height,
    ].map((share) => share.toFixed(6))
  for (const [name, boxes] of Object.entries(TRUTHS)) {
    write(`yolo/images/${name}.png`, png)
    const lines = boxes.map(([label, ...box]) => [CLASSES.indexOf(label), ...shares(...box)].join(' '))
    write(`yolo/labels/${name}.txt`, lines.join('\n'))
  }
  write('yolo/classes.txt', CLASSES.join('\n'))
  for (const [name, boxes] of Object.entries(DETECTIONS)) {
    const lines = boxes.map(([label, score, ...box]) =>
      [CLASSES.indexOf(label), ...shares(...box), score].join(' '),
    )
    write(`yolo-results/${name}.txt`, lines.join('\n'))
  }
  return { truth: join(folder, 'yolo/labels'), detections: join(folder, 'yolo-results') }
}

test('the same boxes in three notations give the same numbers', async () => {
  const sources = [coco(), voc(), await yolo()]
  const found = await Promise.all(sources.map(readEvaluation))
  const [first] = found
  assert.deepEqual(first!.classes, CLASSES)
  assert.deepEqual(first!.images, ['a', 'b', 'c'])
  const sorted = (data: typeof first) => [...data!.truths.box].sort().join()
  for (const data of found) {
    assert.deepEqual(data.classes, CLASSES)
    assert.deepEqual(data.images, ['a', 'b', 'c'])
    assert.equal(sorted(data), sorted(first))
    assert.equal(evaluateVoc(data.truths, data.detections).mAP, 0.75) // dog 0.5: one of two; cat 1
    assert.deepEqual(
      evaluateCoco(data.truths, data.detections).stats,
      evaluateCoco(first!.truths, first!.detections).stats,
    )
  }
})

test('lines may hold their columns in any order, and classes by name', async () => {
  const { truth } = coco()
  const corner = Object.entries(DETECTIONS)
  for (const [name, boxes] of corner) {
    const lines = boxes.map(
      ([label, score, x1, y1, x2, y2]) => `${score} ${label} ${x1} ${y1} ${x2 - x1} ${y2 - y1}`,
    )
    write(`lines/${name}.txt`, lines.join('\n'))
  }
  const data = await readEvaluation({
    truth,
    detections: join(folder, 'lines'),
    columns: 'score class x y w h',
  })
  assert.equal(evaluateVoc(data.truths, data.detections).mAP, 0.75)
})

test("the devkit's inclusive pixels widen VOC's boxes by one", async () => {
  const data = await readEvaluation({ ...voc(), vocPixels: 'inclusive' })
  assert.deepEqual([...data.truths.box.subarray(0, 4)], [9, 19, 60, 90])
  assert.deepEqual([...data.detections.box.subarray(0, 4)].slice(2), [158, 84])
})

test('errors name file, line or key', async () => {
  const { truth, detections } = coco()
  const refusal = (files: Parameters<typeof readEvaluation>[0], pattern: RegExp) =>
    assert.rejects(readEvaluation(files), pattern)
  const results = (rows: object[]) => write('bad.json', JSON.stringify(rows))
  const row = { image_id: 7, category_id: 3, bbox: [0, 0, 1, 1], score: 1 }
  await refusal(
    { truth, detections: results([row, { ...row, category_id: 9 }]) },
    /bad\.json:1:\[1\]\.category_id: unknown class: expected a class of the truths, found 9/,
  )
  await refusal(
    { truth, detections: results([{ ...row, image_id: 1 }]) },
    /bad\.json:1:\[0\]\.image_id: missing image: expected an image of the truths, found 1/,
  )
  await refusal({ truth, detections: results([{ ...row, score: '1' }]) }, /bad\.json:1:\[0\]\.score: syntax/)
  await refusal(
    { truth, detections: write('bad.json', JSON.stringify([row]).replace('"score":1', '"score":1e999')) },
    /bad\.json:1:\[0\]\.score: syntax: .*finite/,
  )
  await refusal(
    { truth, detections: write('bad.json', `[\n${JSON.stringify(row)},\n{"score": NaN}\n]\n`) },
    /bad\.json:3: syntax: expected JSON/,
  )
  await refusal({ truth: write('no.json', '{'), detections }, /no\.json:1: syntax: expected JSON/)
  const lines = (text: string) => dirname(write('bad/a.txt', text))
  await refusal(
    { truth, detections: lines('dog 0.5 1 2 3 4\ndog 0.5 1 2 3\n') },
    /a\.txt:2: syntax: expected 6 fields \(class score x1 y1 x2 y2\), found 5/,
  )
  await refusal(
    { truth, detections: lines('5 0.5 1 2 3 4') },
    /a\.txt:1: unknown class: expected a class of 0 \.\. 1, found 5/,
  )
  await refusal(
    { truth, detections: lines('dog 0.5 1 2 3 4\ncow 0.5 1 2 3 4') },
    /a\.txt:2: unknown class: expected one of the truths' classes \(cat, dog\), found cow/,
  )
  await refusal(
    { truth, detections: lines('dog 0.5 1 2 3 4'), columns: 'class x1 y1 x2 y2' },
    /columns: expected class, score/,
  )
  await refusal(
    { truth: join(folder, 'nowhere'), detections },
    /nowhere: expected a file or folder of truths/,
  )
  await refusal({ ...voc(), detections }, /results\.json: expected truths as a COCO file/)
  await refusal(
    { truth, detections: join(folder, 'no.txt') },
    /no\.txt: expected a file or folder, found nothing/,
  )
  await refusal(
    { truth: join(folder, 'gone.json'), detections },
    /gone\.json: expected a file, found nothing/,
  )
  await refusal(
    { truth, detections: lines('dog 0.5 1 2 3 4\ndog 0.5 1 2 0 4') },
    /a\.txt:2: empty box: expected x1 <= x2 and y1 <= y2, found \(1, 2, 0, 4\)/,
  )
  const widths = { truth, columns: 'class score x y w h' }
  await refusal({ ...widths, detections: lines('dog 0.5 1 2 3 -4') }, /a\.txt:1: empty box/)
  const annotation = (xmax: number) =>
    `<annotation>\n<object>\n<name>dog</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>${xmax}</xmax><ymax>3</ymax></bndbox></object></annotation>`
  await refusal(
    { truth: dirname(write('backwards/a.xml', annotation(1))), detections: lines('dog 0.5 1 2 3 4') },
    /backwards\/a\.xml:2: empty box: .* found \(2, 1, 1, 3\)/,
  )
  const stray = dirname(write('stray/z.txt', 'dog 0.5 1 2 3 4'))
  await refusal({ truth, detections: stray }, /z\.txt: missing image: .*found z; an image without objects/)
})

test("COCO truths: ids and names once, missing keys named, ignore is VOC's difficult flag", async () => {
  const { truth, detections } = coco()
  const document = JSON.parse(readFileSync(truth, 'utf8')) as {
    images: { id: number }[]
    categories: { id: number; name: string }[]
    annotations: object[]
  }
  const changed = (change: (copy: typeof document) => unknown, name = 'changed.json') => {
    const copy = structuredClone(document)
    change(copy)
    return write(name, JSON.stringify(copy, null, 1))
  }
  const refusal = (change: (copy: typeof document) => unknown, pattern: RegExp) =>
    assert.rejects(readEvaluation({ truth: changed(change), detections }), pattern)
  await refusal(
    (copy) => copy.images.push(copy.images[0]!),
    /changed\.json:\d+:images\[3\]\.id: duplicate id: expected a new id, found 9 again \(first in images\[0\]\)/,
  )
  await refusal(
    (copy) => copy.categories.push({ id: 8, name: 'dog' }),
    /categories\[2\]\.name: duplicate id: expected a new name, found "dog" again/,
  )
  await refusal(
    (copy) => Object.assign(copy.annotations[1]!, { bbox: [1, 2, 3] }),
    /changed\.json:\d+:annotations\[1\]\.bbox: syntax/,
  )
  await refusal(
    (copy) => Reflect.deleteProperty(copy, 'categories'),
    /changed\.json:1:categories: syntax: expected a list, found nothing$/,
  )
  await refusal((copy) => {
    for (const row of copy.annotations) Object.assign(row, { id: 4 })
  }, /annotations\[1\]\.id: duplicate id: expected a new id, found 4 again/)
  // The hit of class dog is difficult: one dog is left, which nothing finds.
  const ignored = changed((copy) => Object.assign(copy.annotations[0]!, { ignore: 1, id: 0 }))
  const data = await readEvaluation({ truth: ignored, detections })
  assert.equal(evaluateVoc(data.truths, data.detections).mAP, 0.5)
  const plain = await readEvaluation({ truth, detections })
  const stats = ({ truths, detections: found }: typeof data) => evaluateCoco(truths, found).stats
  assert.deepEqual(stats(data), stats(plain))
  assert.match(data.notes.join(), /1 x box: an annotation with the id 0: pycocotools counts/)
  assert.deepEqual(plain.notes, [])
})

test("a YOLO folder's lists of images are not labels, and its images may be named after splits", async () => {
  const { detections } = await yolo()
  const labels = join(folder, 'yolo-lists/labels')
  for (const name of ['a', 'b', 'c']) {
    write(`yolo-lists/labels/train_${name}.txt`, readFileSync(join(folder, `yolo/labels/${name}.txt`)))
    write(`yolo-lists/images/train_${name}.png`, readFileSync(join(folder, `yolo/images/${name}.png`)))
  }
  for (const name of ['a', 'b'])
    write(`yolo-lists/found/train_${name}.txt`, readFileSync(join(detections, `${name}.txt`)))
  write('yolo-lists/labels/train.txt', 'data/images/train_a.png\n')
  write('yolo-lists/labels/classes.txt', CLASSES.join('\n'))
  const data = await readEvaluation({ truth: labels, detections: join(folder, 'yolo-lists/found') })
  assert.deepEqual(data.images, ['train_a', 'train_b', 'train_c'])
  assert.equal(evaluateVoc(data.truths, data.detections).mAP, 0.75)

  // The same in folders of splits, from the folder above.
  cpSync(labels, join(folder, 'yolo-split/labels/val'), { recursive: true })
  cpSync(join(folder, 'yolo-lists/images'), join(folder, 'yolo-split/images/val'), { recursive: true })
  const split = { truth: join(folder, 'yolo-split/labels'), detections: join(folder, 'yolo-lists/found') }
  const classes = join(labels, 'classes.txt')
  for (const images of [undefined, join(folder, 'yolo-split/images')]) {
    const { truths } = await readEvaluation({ ...split, classes, images })
    assert.deepEqual(truths, data.truths)
  }
})

test('there may be more files than a process can have open', () => {
  for (let i = 0; i < 400; i++) {
    const box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'
    write(`many/truths/${i}.xml`, `<annotation><object><name>car</name>${box}</object></annotation>`)
    write(`many/found/${i}.txt`, 'car 1 1 1 9 9')
  }
  const paths = { truth: join(folder, 'many/truths'), detections: join(folder, 'many/found') }
  const program = `require(${JSON.stringify(join(__dirname, '../../lib/evaluate'))})
    .readEvaluation(${JSON.stringify(paths)}).then(({ detections }) => console.log(detections.image.length))`
  const command = 'ulimit -n 200 && exec "$0" --require tsx/cjs -e "$1"'
  const run = spawnSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' })
  assert.equal(run.stdout, '400\n', run.stderr)
})

test('the command prints tables, or JSON', async (context) => {
  const { truth, detections } = coco()
  const log = context.mock.method(console, 'log', () => undefined)
  const run = async (...options: string[]) => {
    log.mock.resetCalls()
    const paths = ['--truth', truth, '--detections', detections]
    await evaluateCommand().parseAsync([...paths, ...options], { from: 'user' })
    return log.mock.calls.map((call) => String(call.arguments[0])).join('\n')
  }
  const text = await run()
  assert.match(text, /3 images, 3 truths, 3 detections, 2 classes/)
  assert.match(text, /VOC mAP@0\.5, all-point │ 75\.00/)
  assert.match(text, /class +│ +1 │/)
  const json = JSON.parse(await run('--json'))
  assert.equal(json.voc.mAP, 0.75)
  assert.equal(json.mistakes.kinds.class.count, 1)
  assert.deepEqual(json.confusion, [
    [1, 0, 0],
    [1, 1, 0],
    [0, 0, 0],
  ])
})

const datasets = process.env.WORKBOOK_DATASETS

test(
  'the published photos: every notation of truths and detections gives the numbers of pycocotools',
  { skip: datasets === undefined && 'WORKBOOK_DATASETS is not set' },
  async () => {
    const root = join(datasets!, 'formats')
    const expected = JSON.parse(readFileSync(join(__dirname, 'oracle/formats.json'), 'utf8')) as number[]
    const truths = [
      { truth: join(root, 'gts/coco_format_v1/instances_default.json') },
      { truth: join(root, 'gts/coco_format_v2/instances_v2.json') },
      { truth: join(root, 'gts/pascalvoc_format') },
      { truth: join(root, 'gts/yolo_format/obj_train_data'), images: join(root, 'images') },
    ]
    const detections = [
      { detections: join(root, 'dets/coco_format/coco_dets.json') },
      { detections: join(root, 'dets/abs_xyx2y2'), columns: 'class score x1 y1 x2 y2' },
      { detections: join(root, 'dets/abs_xywh'), columns: 'class score x y w h' },
      { detections: join(root, 'dets/rel_xywh'), columns: 'class score cx cy w h' },
    ]
    for (const left of truths) {
      for (const right of detections) {
        const data = await readEvaluation({ ...left, ...right, detectionClasses: join(root, 'voc.names') })
        const { stats } = evaluateCoco(data.truths, data.detections)
        const off = Math.max(...stats.map((value, i) => Math.abs(value - expected[i]!)))
        assert.ok(off < 1e-12, `${left.truth}, ${right.detections}: off by ${off}`)
      }
    }
  },
)
