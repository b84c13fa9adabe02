/** Every reader of files from outside, with small valid files of its kind. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { z } from 'zod'
import { checkDataset, readClassNames, readImage, readImageSize } from '../../lib/data'
import { readDarknet } from '../../lib/detector'
import { readEvaluation } from '../../lib/evaluate'
import { planPruning, writeStructure } from '../../lib/slimming'
import { readStructure } from '../../lib/slimming/structure'
import { loadProfile, loadSweep, readSweepFile } from '../../lib/study'
import { loadCheckpoint, saveCheckpoint } from '../../lib/train'
import { decodeSafetensors, encodeSafetensors } from '../../lib/train/safetensors'
import { readGammas, readLogFile, readTrial, trialFolder, trialSchema } from '../../lib/trial'
import { readNotebook } from '../../lib/workbench/notebook-file'
import { parameter } from '../../lib/workbench/parameter'
import { root } from '../../lib/workbench/project'
import { darknetCase } from '../detector/darknet-cases'
import { readReference } from '../reference/reference'
import { finishTrial, tinyTraining } from '../study/tiny'
import { tinyConfig, tinyDetector, tinyWeights } from '../train/tiny'
import type { Form } from './mutate'

/** A reader, a folder that it reads, and the file there that is changed. */
export interface Target {
  readonly name: string
  readonly folder: string
  /** The file's place in the folder. */
  readonly file: string
  readonly form: Form
  readonly valid: readonly Buffer[]
  readonly read: () => unknown
  /** What an error must name. Default: the folder. */
  readonly named?: string
}

const BOX = [2, 1, 5, 4] as const
const CLASSES = 'car\nbus\n'

const voc = (name: string) => `<?xml version="1.0"?>
<annotation>
  <filename>${name}.png</filename>
  <size><width>8</width><height>6</height><depth>3</depth></size>
  <object>
    <name>car</name><difficult>0</difficult>
    <bndbox><xmin>2</xmin><ymin>1</ymin><xmax>5</xmax><ymax>4</ymax></bndbox>
  </object>
</annotation>
`
const coco = {
  images: ['a', 'b'].map((name, i) => ({ id: i + 1, file_name: `${name}.png`, width: 8, height: 6 })),
  annotations: [1, 2].map((id) => ({
    id,
    image_id: id,
    category_id: id,
    bbox: [2, 1, 3, 3],
    area: 9,
    iscrowd: 0,
  })),
  categories: ['car', 'bus'].map((name, i) => ({ id: i + 1, name })),
}
const scored = {
  ...coco,
  annotations: coco.annotations.map((annotation) => ({ ...annotation, score: 0.5 })),
}
const scalabel = ['a', 'b'].map((name) => ({
  name: `${name}.png`,
  size: { width: 8, height: 6 },
  labels: [{ category: 'car', box2d: { x1: 2, y1: 1, x2: 5, y2: 4 }, attributes: { crowd: false } }],
}))
const darknetJson = ['a', 'b'].map((name, i) => ({
  frame_id: i,
  filename: `${name}.png`,
  objects: [
    {
      class_id: 0,
      name: 'car',
      relative_coordinates: { center_x: 0.5, center_y: 0.5, width: 0.2, height: 0.2 },
      confidence: 0.5,
    },
  ],
}))
const kitti =
  'car 0.00 0 -1.57 2.00 1.00 5.00 4.00 1.5 1.6 3.7 1.8 1.5 8.4 -1.5\nDontCare -1 -1 -10 0 0 1 1 -1 -1 -1 -1000 -1000 -1000 -10\n'
const openimages = `ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf
a,x,/m/1,1,0.25,0.6,0.2,0.6,0,0,0
b,x,/m/2,1,"0,25",0.6,0.2,0.6,0,0,1
`
const printed = ['a', 'b']
  .map(
    (name) =>
      `Enter Image Path: data/${name}.png: Predicted in 12.3 milli-seconds.\ncar: 98%\t(left_x:    2   top_y:    1   width:    3   height:    3)\n`,
  )
  .join('')
const dataYaml = `path: .
train: images/train
val: [images/val]
nc: 2
names:
  0: car
  1: bus
kpt_shape: [2, 3] # none here
`

/** The files' folders are made below `scratch`. */
export async function makeTargets(scratch: string): Promise<Target[]> {
  const png = await sharp({ create: { width: 8, height: 6, channels: 3, background: '#357' } })
    .png()
    .toBuffer()
  const images = (...places: string[]) =>
    Object.fromEntries(places.map((place, i) => [place, distinct(png, i)]))
  let made = 0
  const target = (
    name: string,
    form: Form,
    files: Readonly<Record<string, string | Buffer>>,
    read: (folder: string, file: string) => unknown,
    more: readonly (string | Buffer)[] = [],
  ): Target => {
    const folder = join(scratch, `${made++}-${name.replace(/\W+/g, '-')}`)
    for (const [place, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, place)), { recursive: true })
      writeFileSync(join(folder, place), content)
    }
    const [file, first] = Object.entries(files)[0]!
    const valid = [first, ...more].map((content) => Buffer.from(content as Buffer))
    return { name, folder, file, form, valid, read: () => read(folder, join(folder, file)) }
  }
  return [
    ...datasets(target, images),
    ...evaluations(target, images),
    ...(await models(target, scratch)),
    ...results(target, scratch),
    ...(await pictures(target)),
  ]
}

type Make = (
  name: string,
  form: Form,
  files: Readonly<Record<string, string | Buffer>>,
  read: (folder: string, file: string) => unknown,
  more?: readonly (string | Buffer)[],
) => Target
type Images = (...places: string[]) => Record<string, Buffer>

/** The same picture with other bytes behind its end, so that no two are alike. */
const distinct = (png: Buffer, i: number) => Buffer.concat([png, Buffer.from([i])])

function datasets(target: Make, images: Images): Target[] {
  const check = (folder: string) => checkDataset(folder)
  const json = (value: unknown) => JSON.stringify(value)
  const yoloImages = images('images/train/a.png', 'images/val/b.png')
  const labels = {
    'labels/train/a.txt': '0 0.5 0.5 0.25 0.5\n1 0.4 0.4 0.1 0.1\n',
    'labels/val/b.txt': '1 0.5 0.5 0.5 0.5\n',
  }
  const polygon = '0 0.1 0.1 0.2 0.2 0.3 0.1\n0 0.5 0.5 0.25 0.5 0.9\n'
  return [
    target('VOC', 'xml', { 'Annotations/a.xml': voc('a'), ...images('JPEGImages/a.png') }, check, [voc('b')]),
    target(
      'VOC lists',
      'lines',
      {
        'ImageSets/Main/train.txt': 'a\nb  1\n',
        'Annotations/a.xml': voc('a'),
        'Annotations/b.xml': voc('b'),
        ...images('JPEGImages/a.png', 'JPEGImages/b.png'),
      },
      check,
    ),
    target(
      'COCO',
      'json',
      {
        'annotations/instances_train2017.json': json(coco),
        ...images('images/train2017/a.png', 'images/train2017/b.png'),
      },
      check,
    ),
    target(
      'Scalabel',
      'json',
      { 'labels/det_train.json': json(scalabel), ...images('images/train/a.png', 'images/train/b.png') },
      check,
      [json({ frames: scalabel }), json({ name: 'a.png', frames: [{ objects: scalabel[0]!.labels }] })],
    ),
    target('YOLO labels', 'lines', { ...labels, 'classes.txt': CLASSES, ...yoloImages }, check, [polygon]),
    target('YOLO data.yaml', 'yaml', { 'data.yaml': dataYaml, ...labels, ...yoloImages }, check, [
      dataYaml.slice(0, dataYaml.indexOf('names:')).concat('names: [car, bus]\n'),
    ]),
    target(
      'Darknet obj.data',
      'lines',
      {
        'obj.data': 'classes = 2\ntrain = train.txt\nvalid = val.txt\nnames = obj.names\n',
        'obj.names': CLASSES,
        'train.txt': 'images/train/a.png\n',
        'val.txt': 'images/val/b.png\n',
        ...labels,
        ...yoloImages,
      },
      check,
    ),
    target('class list beside labels', 'lines', { 'classes.txt': CLASSES, ...labels, ...yoloImages }, check),
    target('KITTI', 'lines', { 'label_2/a.txt': kitti, ...images('image_2/a.png') }, check),
    target(
      'annotation list',
      'lines',
      {
        'train.txt': `images/a.png ${BOX.join()},0\nimages/b.png\n`,
        'classes.txt': CLASSES,
        ...images('images/a.png', 'images/b.png'),
      },
      check,
    ),
    target(
      'OpenImages',
      'lines',
      {
        'train-annotations-bbox.csv': openimages,
        'class-descriptions-boxable.csv': '/m/1,car\n/m/2,bus\n',
        ...images('train/a.png', 'train/b.png'),
      },
      check,
    ),
    target(
      'manifest beside lists',
      'json',
      {
        'manifest.json': json({ classes: ['car', 'bus'] }),
        'train.txt': `images/a.png ${BOX.join()},0\n`,
        ...images('images/a.png'),
      },
      check,
    ),
    target('file of class names', 'lines', { 'names.txt': CLASSES }, (_, file) => readClassNames(file)),
  ]
}

function evaluations(target: Make, images: Images): Target[] {
  const json = (value: unknown) => JSON.stringify(value)
  const truths = { 'truths/instances_val2017.json': json(coco) }
  const score = (detections: string) => (folder: string) =>
    readEvaluation({
      truth: join(folder, 'truths/instances_val2017.json'),
      detections: join(folder, detections),
    })
  const results = coco.annotations.map(({ image_id, category_id, bbox }) => ({
    image_id,
    category_id,
    bbox,
    score: 0.5,
  }))
  const yolo = {
    'set/labels/a.txt': '0 0.5 0.5 0.25 0.5\n',
    'set/classes.txt': CLASSES,
    ...images('set/images/a.png'),
  }
  return [
    target('COCO results', 'json', { 'd/results.json': json(results), ...truths }, score('d/results.json'), [
      json(results.map((result) => ({ ...result, file_name: 'a.png' }))),
    ]),
    target(
      'COCO with scores',
      'json',
      { 'd/results.json': json(scored), ...truths },
      score('d/results.json'),
    ),
    target(
      'Darknet -out',
      'json',
      { 'd/results.json': json(darknetJson), ...truths },
      score('d/results.json'),
    ),
    target('Darknet printed', 'lines', { 'd/results.txt': printed, ...truths }, score('d/results.txt')),
    target(
      'VOC results',
      'lines',
      { 'd/comp4_det_test_car.txt': 'a 0.5 2 1 5 4\nb 0.4 2 1 5 4\n', ...truths },
      score('d'),
    ),
    target('truths', 'json', { ...truths, 'd/results.json': json(results) }, score('d/results.json')),
    target(
      'lines of detections',
      'lines',
      { 'd/a.txt': '0 0.5 0.5 0.25 0.5 0.9\n1 0.4 0.4 0.1 0.1 0.2\n', ...yolo },
      (folder) => readEvaluation({ truth: join(folder, 'set'), detections: join(folder, 'd') }),
    ),
  ]
}

async function models(target: Make, scratch: string): Promise<Target[]> {
  const { cfg, weights } = darknetCase('darknet21')
  const darknet = (folder: string) => readDarknet(join(folder, 'net.cfg'), join(folder, 'net.weights'))
  const tensors = encodeSafetensors(
    new Map(['a', 'b'].map((name) => [name, { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) }])),
    { format: 'x' },
  )
  const model = join(scratch, 'model/model.json')
  const network = tinyDetector()
  mkdirSync(dirname(model), { recursive: true })
  saveCheckpoint(model, {
    network,
    classes: ['car'],
    step: 0,
    weights: tinyWeights(),
    optimizer: new Map(),
    provenance: {},
  })
  const structure = join(scratch, 'structure.json')
  const plan = planPruning(network, tinyWeights(), { ratio: 0.2, multiple: 1 })
  writeStructure(structure, { network, plan, provenance: {} })
  const checkpoint = target('checkpoint', 'json', { 'model.json': readFileSync(model) }, (_, file) =>
    loadCheckpoint(file),
  )
  cpSync(dirname(model), checkpoint.folder, { recursive: true })
  return [
    target('cfg', 'lines', { 'net.cfg': cfg, 'net.weights': Buffer.from(weights) }, darknet),
    target('weights', 'bytes', { 'net.weights': Buffer.from(weights), 'net.cfg': cfg }, darknet),
    target(
      'safetensors',
      'bytes',
      { 'a.safetensors': tensors },
      (_, file) => decodeSafetensors(readFileSync(file), file).tensors,
    ),
    checkpoint,
    target('structure', 'json', { 'structure.json': readFileSync(structure) }, (_, file) =>
      readStructure(file),
    ),
  ]
}

function results(target: Make, scratch: string): Target[] {
  const of = (place: string) => readFileSync(join(root, place))
  const firstLines = (place: string) => of(place).toString('utf8').split('\n').slice(0, 5).join('\n')
  const trial = trialSchema.parse({
    kind: 'teacher',
    data: { hash: 'd'.repeat(64) },
    detector: tinyConfig(),
    training: tinyTraining(2),
  })
  finishTrial(scratch, trial, 0.5)
  const [config, metrics] = ['config.json', 'metrics.json'].map((file) =>
    readFileSync(join(scratch, trialFolder(trial), file)),
  )
  const sweeps = ['recovery', 'unlabelled', 'few-labels-300'].map((name) =>
    of(`lib/study/sweeps/${name}.yaml`),
  )
  return [
    target('profile', 'yaml', { 'own.yaml': of('lib/study/profiles/smoke.yaml') }, (_, file) =>
      loadProfile(file),
    ),
    target('sweep', 'yaml', { 'own.yaml': sweeps[0]! }, (_, file) => loadSweep(file), sweeps.slice(1)),
    target('sweep result', 'json', { 'own.json': of('data/sweeps/recovery.json') }, (_, file) =>
      readSweepFile(file),
    ),
    target('reference', 'json', { 'own.json': of('test/reference/smoke.json') }, (_, file) =>
      readReference(file),
    ),
    target('trial metrics', 'json', { 'metrics.json': metrics!, 'config.json': config! }, (folder) =>
      readTrial(folder),
    ),
    target('trial config', 'json', { 'config.json': config!, 'metrics.json': metrics! }, (folder) =>
      readTrial(folder),
    ),
    target(
      'training log',
      'lines',
      { 'log.jsonl': firstLines('data/checkpoints/default-student.log.jsonl') },
      (_, file) => readLogFile(file),
    ),
    target(
      'gammas',
      'lines',
      { 'gammas.jsonl': firstLines('data/checkpoints/default-sparse.gammas.jsonl') },
      (_, file) => readGammas(file),
    ),
    target('notebook', 'json', { 'small.ipynb': of('test/workbench/fixtures/small.ipynb') }, (_, file) =>
      readNotebook(file),
    ),
    {
      ...target('notebook parameter', 'json', { 'value.json': '{"ratio": 0.3}' }, (_, file) => {
        // The environment holds no zeros.
        process.env.WORKBOOK_FUZZ = readFileSync(file, 'utf8').replaceAll('\0', '')
        return parameter('fuzz', z.union([z.number(), z.object({ ratio: z.number() }).strict()]))
      }),
      named: 'WORKBOOK_FUZZ',
    },
  ]
}

async function pictures(target: Make): Promise<Target[]> {
  const pixels = Uint8Array.from({ length: 24 * 16 * 3 }, (_, i) => (i * 7 + (i >> 3) * 13) % 256)
  const image = sharp(pixels, { raw: { width: 24, height: 16, channels: 3 } })
  const types = ['png', 'jpeg', 'webp', 'gif', 'tiff'] as const
  const read = (_: string, file: string) => readImageSize(file).then(() => readImage(file))
  return Promise.all(
    types.map(async (type) =>
      target(
        `image, ${type}`,
        'bytes',
        { [`a.${type}`]: await image.clone().toFormat(type).toBuffer() },
        read,
      ),
    ),
  )
}
