import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { encodePng, type Placement, type RgbImage, renderScene, toInput, writeDataset } from '../../lib/data'
import { FILE_DEFAULTS, isInstalled, notInstalled, writeModel } from '../../lib/deploy'
import {
  type DetectOptions,
  detectImages,
  openModel,
  openSource,
  type RunningModel,
  type SourceOptions,
} from '../../lib/deploy/detect'
import { Detector } from '../../lib/detector'
import { evaluateDetections, readEvaluation, type ScoredBox } from '../../lib/evaluate'
import { loadCheckpoint, predict } from '../../lib/train'
import { root } from '../../lib/workbench/project'

const folder = mkdtempSync(path.join(tmpdir(), 'detect-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...names: string[]) => path.join(folder, ...names)
const shipped = (name: string) => path.join(root, 'data/checkpoints', `default-${name}.json`)

/** A model that finds one box at a place of its input, whatever it is shown, and remembers how images lay there. */
function fixedModel(box: Omit<ScoredBox, 'score'>, score = 0.9, name = 'fixed') {
  const placements: Placement[] = []
  const model: RunningModel = {
    ...{ name, classes: ['car', 'bus'], input: [96, 256] as const },
    async detect(batch) {
      placements.push(...batch.placements)
      const found = batch.placements.map((placement) => {
        const { scaleX, shiftX, scaleY, shiftY } = placement
        const back = {
          scaleX: 1 / scaleX,
          shiftX: -shiftX / scaleX,
          scaleY: 1 / scaleY,
          shiftY: -shiftY / scaleY,
        }
        return [{ ...toInput(box, back), score }]
      })
      return { found, seconds: 0.001 }
    },
    dispose: async () => {},
  }
  return { model, placements }
}

const flat = (width: number, height: number): RgbImage => ({
  ...{ width, height, pixels: new Uint8Array(3 * width * height).fill(90) },
})

async function look(
  words: readonly string[],
  models: readonly RunningModel[],
  out: string,
  options: DetectOptions & SourceOptions = {},
) {
  return detectImages(await openSource(words, options), models, at(out), options)
}

interface CocoFile {
  readonly images: readonly { readonly file_name: string; readonly width: number; readonly height: number }[]
  readonly annotations: readonly {
    readonly image_id: number
    readonly bbox: number[]
    readonly score: number
  }[]
}
const coco = (...names: string[]): CocoFile => JSON.parse(readFileSync(at(...names), 'utf8'))

test('boxes go back to the very pixels of images of any size, through stretching, padding and crop', async () => {
  mkdirSync(at('sizes'))
  const sizes = { wide: [300, 200], tall: [120, 480], small: [7, 5], input: [256, 96] } as const
  for (const [name, [width, height]] of Object.entries(sizes))
    writeFileSync(at('sizes', `${name}.png`), await encodePng(flat(width, height)))
  // The left half of the input, 96 high and 256 wide.
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 128, y2: 96, label: 0 })
  const expected = {
    stretch: (w: number, h: number) => [0, 0, w / 2, h],
    // As many pixels of the image as fit, from the top left corner on.
    pad: (w: number, h: number) => [128, 96].map((side) => side * Math.max(w / 256, h / 96)),
    crop: (w: number, h: number) => {
      const [top, bottom] = [Math.round(0.25 * h), Math.round(0.75 * h)]
      return [0, top, w / 2, bottom - top]
    },
  }
  for (const [how, options] of Object.entries({
    stretch: {},
    pad: { fit: 'pad' },
    crop: { crop: [0, 0.25, 1, 0.75] },
  } as const)) {
    await look([at('sizes')], [model], how, { ...options, outputs: ['coco'] })
    const { images, annotations } = coco(how, 'fixed.coco.json')
    assert.deepEqual(
      images.map(({ file_name }) => file_name),
      ['input.png', 'small.png', 'tall.png', 'wide.png'],
    )
    for (const { image_id, bbox } of annotations) {
      const { width, height } = images[image_id - 1]!
      const [a, b, c, d] = expected[how as keyof typeof expected](width, height)
      const wanted = how === 'pad' ? [0, 0, a!, b!] : [a!, b!, c!, d!]
      bbox.forEach((value, i) => {
        assert.ok(Math.abs(value - wanted[i]!) < 1e-9, `${how} of ${width}x${height}: ${bbox} for ${wanted}`)
      })
    }
  }
})

test('images of the oddest shapes have pictures and a page that can be looked at', async () => {
  mkdirSync(at('shapes'))
  const shapes = {
    dot: [1, 1],
    pole: [3, 2000],
    rope: [2000, 3],
    scroll: [300, 5000],
    wall: [5200, 3000],
  } as const
  for (const [name, [width, height]] of Object.entries(shapes))
    writeFileSync(at('shapes', `${name}.png`), await encodePng(flat(width, height)))
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 128, y2: 96, label: 0 })
  const report = await look([at('shapes')], [model, { ...model, name: 'other' }], 'shaped')
  assert.deepEqual([report.images, report.damaged], [5, []])
  const sizes = await Promise.all(
    Object.keys(shapes).map(async (name) => {
      const { width, height } = await sharp(at('shaped', 'pictures', `${name}.jpg`)).metadata()
      return [name, width, height]
    }),
  )
  // Of wide images titles grow too, as if everything were drawn 900 wide and made larger.
  const written = (scale: number, ...sides: number[]) => sides.map((side) => Math.round(side * scale))
  // Two panels: side by side, or one above the other; a line above each, and one or more below all.
  assert.deepEqual(sizes, [
    ['dot', 8 + 2 * 648, 24 + 640 + 8 + 24],
    ['pole', 8 + 2 * 248, 24 + 4000 + 8 + 48],
    ['rope', ...written(2000 / 900, 916, 2 * (24 + 1 + 8) + 24)],
    ['scroll', 8 + 2 * 254, 24 + 4100 + 8 + 48],
    ['wall', ...written(4096 / 900, 8 + 2 * 908, 24 + 519 + 8 + 24)],
  ])
  const html = readFileSync(at('shaped', 'index.html'), 'utf8')
  const views = [...html.matchAll(/viewBox="0 0 (\d+) (\d+)"( style="width: [\d.]+%")?/g)]
  assert.equal(views.length, 10)
  for (const [, width, height, narrow] of views) {
    assert.ok(Number(height) <= 1000, `${width}x${height}`)
    assert.equal(narrow !== undefined, Number(height) > 2 * Number(width) - 2)
  }
})

test('what the command finds is what an evaluation finds, to the bit', async () => {
  const scenes = [0, 1, 2].map((index) => renderScene({ seed: 5, index }))
  mkdirSync(at('scenes'))
  const samples = await Promise.all(
    scenes.map(async ({ image, boxes }, i) => {
      const file = at('scenes', `${i}.png`)
      writeFileSync(file, await encodePng(image))
      return { id: String(i), file, width: image.width, height: image.height, boxes }
    }),
  )
  const checkpoint = loadCheckpoint(shipped('student'))
  const detector = new Detector(checkpoint.network, checkpoint.weights)
  const { detections } = await predict(detector, samples)
  detector.dispose()
  const model = await openModel(shipped('student'))
  await look([at('scenes')], [model], 'same', { outputs: ['coco'] })
  await model.dispose()
  const { annotations } = coco('same', 'default-student.coco.json')
  assert.ok(annotations.length > 20)
  assert.deepEqual(
    annotations.map(({ image_id, score }) => [image_id - 1, score]),
    Array.from(detections.score, (score, row) => [detections.image[row], score]),
  )
  annotations.forEach(({ bbox: [x, y, w, h] }, row) => {
    const [x1, y1, x2, y2] = detections.box.subarray(4 * row, 4 * row + 4)
    assert.deepEqual([x, y, w, h], [x1, y1, x2! - x1!, y2! - y1!])
  })
})

test('an image that its EXIF orientation turns is looked at, measured and drawn upright', async () => {
  const { image } = renderScene({ seed: 3, index: 5, width: 256 })
  const upright = await encodePng(image)
  mkdirSync(at('turned'))
  writeFileSync(at('turned', 'a.png'), upright)
  // Turned by 90 degrees and marked as to be turned back.
  await sharp(upright).rotate(90).withMetadata({ orientation: 8 }).png().toFile(at('turned', 'b.png'))
  assert.deepEqual((await sharp(at('turned', 'b.png')).metadata()).width, 96)
  const model = await openModel(shipped('student'))
  await look([at('turned')], [model], 'upright', { outputs: ['coco', 'pictures'] })
  await model.dispose()
  const { images, annotations } = coco('upright', 'default-student.coco.json')
  assert.deepEqual(
    images.map(({ width, height }) => [width, height]),
    [
      [256, 96],
      [256, 96],
    ],
  )
  const boxesOf = (id: number) =>
    annotations.filter(({ image_id }) => image_id === id).map(({ bbox }) => bbox)
  assert.ok(boxesOf(1).length > 0)
  assert.deepEqual(boxesOf(2), boxesOf(1))
  const { width, height } = await sharp(at('upright', 'pictures', 'b.jpg')).metadata()
  assert.ok(width > 2 * height)
})

test('a damaged image is named, the others go on, and the report says so', async () => {
  mkdirSync(at('damaged'))
  const png = await encodePng(renderScene({ seed: 1, index: 1 }).image)
  writeFileSync(at('damaged', 'a.png'), png)
  writeFileSync(at('damaged', 'cut.png'), png.subarray(0, 3000))
  writeFileSync(at('damaged', 'no.jpg'), 'no image')
  writeFileSync(at('damaged', 'z.png'), png)
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 9, y2: 9, label: 1 })
  const progress: [number, number][] = []
  const report = await look([at('damaged')], [model], 'sound', {
    onProgress: (done, damaged) => progress.push([done, damaged]),
  })
  assert.equal(report.images, 2)
  assert.deepEqual(progress, [[4, 2]])
  assert.equal(report.damaged.length, 2)
  assert.match(report.damaged[0]!, /cut\.png: expected a readable image/)
  assert.match(report.damaged[1]!, /no\.jpg: expected a readable image/)
  assert.deepEqual(readdirSync(at('sound', 'pictures')).sort(), ['a.jpg', 'z.jpg'])
  assert.match(readFileSync(at('sound', 'index.html'), 'utf8'), /2 images or labels were left out/)
  rmSync(at('damaged', 'a.png'))
  rmSync(at('damaged', 'z.png'))
  await assert.rejects(
    look([at('damaged')], [model], 'none'),
    /at least one image that can be decoded.*cut\.png/s,
  )
  assert.equal(existsSync(at('none')), false)
})

test('an image of which the crop leaves nothing is named, and the others go on', async () => {
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 9, y2: 9, label: 1 })
  const options = { crop: [0.2, 0.3, 0.21, 0.31], outputs: ['coco'] } as const
  const { images, damaged } = await look([at('shapes')], [model], 'cropped', options)
  assert.deepEqual(
    [images, damaged.map((line) => line.split(',')[0])],
    [2, ['dot.png: crop: [0.2', 'pole.png: crop: [0.2', 'rope.png: crop: [0.2']],
  )
})

test('nothing is overwritten, and what is stopped leaves nothing behind', async () => {
  mkdirSync(at('taken'))
  writeFileSync(at('taken', 'mine.txt'), 'mine')
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 9, y2: 9, label: 1 })
  await assert.rejects(
    look([at('sizes')], [model], 'taken'),
    /taken: expected a new or empty folder, found a folder with content/,
  )
  assert.deepEqual(readdirSync(at('taken')), ['mine.txt'])
  const stop = new AbortController()
  const stopped = look([at('sizes')], [model], 'stopped', {
    ...{ batch: 1, signal: stop.signal },
    onProgress: (done) => done === 2 && stop.abort(new Error('enough')),
  })
  await assert.rejects(stopped, /enough/)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('stopped')),
    [],
  )
})

test('a data set: COCO, YOLO and CSV read back to the same numbers, and the page begins with the largest disagreement', async () => {
  mkdirSync(at('raw'))
  const samples = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const { image, boxes } = renderScene({ seed: 6, index, difficulty: 0.4 })
      const file = at('raw', `<b>${index}.png`)
      writeFileSync(file, await encodePng(image))
      return { id: `validation/<b>${index}`, file, width: image.width, height: image.height, boxes }
    }),
  )
  const { classes } = loadCheckpoint(shipped('student'))
  await writeDataset({ classes, splits: { validation: samples } }, 'yolo', at('set'), 'copy')
  const models = [await openModel(shipped('teacher')), await openModel(shipped('student'))]
  const report = await look([at('set')], models, 'set-out', { batch: 5, pageImages: 4 })
  for (const model of models) await model.dispose()
  assert.equal(report.images, 12)
  assert.deepEqual(report.damaged, [])

  const truth = at('set')
  const evaluation = async (detections: string, more: object = {}) => {
    const { truths, detections: found, classes: names } = await readEvaluation({ truth, detections, ...more })
    return evaluateDetections(truths, found, { classes: names })
  }
  const own = await evaluation(at('set-out', 'default-student.coco.json'))
  assert.ok(own.voc.mAP! > 0.5)
  const fromYolo = await evaluation(at('set-out', 'default-student.yolo', 'labels'), {
    columns: 'class cx cy w h score',
  })
  assert.ok(Math.abs(fromYolo.voc.mAP! - own.voc.mAP!) < 1e-9)
  assert.equal(fromYolo.detections, own.detections)
  const csv = readFileSync(at('set-out', 'default-student.csv'), 'utf8').trim().split('\r\n')
  assert.equal(csv[0], 'image,width,height,class,score,x1,y1,x2,y2')
  assert.equal(csv.length - 1, own.detections)
  const [first] = coco('set-out', 'default-student.coco.json').annotations
  const [x1, y1, x2] = csv[1]!.split(',').slice(5).map(Number)
  assert.deepEqual([x1, y1, x2! - x1!], first!.bbox.slice(0, 3))

  const all = report.agreement.at(-1)!
  assert.equal(all.class, 'all')
  assert.equal(all.objects, own.truths)
  const parts = ['both find', 'only default-teacher', 'only default-student', 'neither']
  assert.equal(
    parts.reduce((sum, part) => sum + Number(all[part]), 0),
    own.truths,
  )
  const html = readFileSync(at('set-out', 'index.html'), 'utf8')
  const differing = [...html.matchAll(/ · (\d+) box(?:es)? differs?/g)].map(([, count]) => Number(count))
  assert.equal(differing.length, 4)
  assert.deepEqual(
    differing,
    [...differing].sort((a, b) => b - a),
  )
  assert.ok(differing[0]! > 0)
  assert.doesNotMatch(html, /<b>\d/)
  assert.match(html, /aria-label="truth: /)
})

test('classes are renamed, kept and joined by name', async () => {
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 128, y2: 96, label: 0 }, 0.9, 'a')
  const other: RunningModel = {
    ...fixedModel({ x1: 0, y1: 0, x2: 128, y2: 96, label: 1 }).model,
    name: 'a',
    classes: ['lorry', 'vehicle'],
  }
  const renamed = { rename: new Map([['vehicle', 'car']]) }
  const report = await look([at('sizes', 'wide.png')], [model, other], 'joined', renamed)
  assert.deepEqual(report.agreement, [
    { class: 'car', both: 1, 'only a': 0, 'only a-2': 0 },
    { class: 'all', both: 1, 'only a': 0, 'only a-2': 0 },
  ])
  const kept = await look([at('sizes', 'wide.png')], [model], 'kept', { only: ['bus'] })
  assert.deepEqual(kept.agreement, [])
  await assert.rejects(
    look([at('sizes')], [model], 'x', { only: ['tram'] }),
    /only tram: expected one of car, bus/,
  )
  await assert.rejects(
    look([at('sizes')], [model], 'x', { rename: new Map([['van', 'car']]) }),
    /rename van: expected one of car, bus, found no such class/,
  )
})

test('scores: what is drawn and what is written have each their own least one', async () => {
  const { model } = fixedModel({ x1: 0, y1: 0, x2: 128, y2: 96, label: 0 }, 0.2)
  const report = await look([at('sizes', 'wide.png')], [model], 'low')
  assert.deepEqual(report.agreement, [])
  assert.equal(coco('low', 'fixed.coco.json').annotations.length, 1)
  const more = await look([at('sizes', 'wide.png')], [model], 'lower', { score: 0.2, writtenScore: 0.3 })
  assert.equal(more.agreement.length, 2)
  assert.equal(coco('lower', 'fixed.coco.json').annotations.length, 0)
  assert.equal(
    readFileSync(at('lower', 'fixed.csv'), 'utf8'),
    'image,width,height,class,score,x1,y1,x2,y2\r\n',
  )
})

test('thresholds of decoding are those that are asked for', async () => {
  const count = async (decode: object) => {
    const model = await openModel(shipped('student'), { decode })
    await look([at('scenes')], [model], `decode-${Object.keys(decode).join()}`, { outputs: ['coco'] })
    await model.dispose()
    return coco(`decode-${Object.keys(decode).join()}`, 'default-student.coco.json').annotations.length
  }
  const usual = await count({})
  assert.ok((await count({ objectness: 0.5 })) < usual)
  assert.ok((await count({ iou: 0.99 })) > usual)
  assert.equal(await count({ limit: 2 }), 6)
})

const onnx = isInstalled('onnxruntime')
for (const [name, format, skip] of [
  ['tfjs', 'tfjs', false],
  ['student.onnx', 'onnx', onnx ? false : notInstalled('onnxruntime')],
] as const) {
  test(`an exported file finds what its checkpoint finds: ${format}`, { skip }, async () => {
    writeModel(loadCheckpoint(shipped('student')), at(name), { ...FILE_DEFAULTS, format })
    const models = [await openModel(shipped('student')), await openModel(at(name))]
    const out = `exported-${format}`
    const report = await look([at('scenes')], models, out, { outputs: ['coco'], batch: 2 })
    for (const model of models) await model.dispose()
    const all = report.agreement.at(-1)!
    assert.deepEqual([all['only default-student'], all[`only ${name}`]], [0, 0])
    assert.ok(Number(all.both) > 0)
    const [own, file] = ['default-student', name].map((model) => coco(out, `${model}.coco.json`).annotations)
    assert.equal(file!.length, own!.length)
    file!.forEach(({ image_id, score, bbox }, i) => {
      const twin = own![i]!
      assert.equal(image_id, twin.image_id)
      for (const [a, b] of [[score, twin.score], ...bbox.map((value, side) => [value, twin.bbox[side]!])])
        assert.ok(Math.abs(a! - b!) < 0.01, `${format}: ${bbox} ${score}, ${twin.bbox} ${twin.score}`)
    })
  })
}

test('a file that decodes by itself takes no thresholds of decoding', async () => {
  const request = { ...FILE_DEFAULTS, format: 'tfjs', head: 'decoded' } as const
  writeModel(loadCheckpoint(shipped('student')), at('decoded-tfjs'), request)
  await assert.rejects(
    openModel(at('decoded-tfjs'), { decode: { objectness: 0.1, iou: 0.5 } }),
    /expected no objectness, iou, since the file decodes by itself.*--head logits/,
  )
})

test('a model that is missing, or of a type that is not run, is refused', async () => {
  await assert.rejects(
    openModel(at('none.json')),
    /none\.json: expected a checkpoint \(\.json\) or an exported file, found nothing/,
  )
  writeFileSync(at('weights.pt'), '')
  await assert.rejects(openModel(at('weights.pt')), /weights\.pt: expected a name that ends in/)
})
