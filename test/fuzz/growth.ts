/** Whether readers take time in proportion to the size of a file: CPU time of a file, and of one four times as large. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkDataset } from '../../lib/data'
import { linesOfKeys } from '../../lib/data/intake/json-lines'
import { parseCfg } from '../../lib/detector'
import { readEvaluation } from '../../lib/evaluate'
import { loadProfile } from '../../lib/study'
import { decodeSafetensors } from '../../lib/train/safetensors'
import { readNotebook } from '../../lib/workbench/notebook-file'

interface Case {
  readonly name: string
  /** The file, from the folder that is read. */
  readonly file: string
  /** A text of about n times the same piece. */
  readonly make: (n: number) => string
  /** The first n. */
  readonly size: number
  readonly read: (folder: string, file: string) => unknown
  /** Files beside it. */
  readonly others?: Readonly<Record<string, string>>
}

export interface Growth {
  readonly name: string
  /** Bytes and CPU seconds of the file, and of the larger one. */
  readonly small: readonly [bytes: number, seconds: number]
  readonly large: readonly [bytes: number, seconds: number]
  /** Times as long for each time as large: 1 is linear, 4 quadratic. */
  readonly ratio: number
}

const OBJECT =
  '<object><name>car</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object>\n'
const check = (folder: string) => checkDataset(folder)
const JSON_BOX = (i: number) => `{"id":${i},"image_id":1,"category_id":1,"bbox":[1,1,2,2]}`
const list = (n: number, item: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => item(i)).join(',')
const cocoOf = (annotations: string, categories = '{"id":1,"name":"car"}') =>
  `{"images":[{"id":1,"file_name":"a.png","width":8,"height":6}],"categories":[${categories}],"annotations":[${annotations}]}`

const CASES: readonly Case[] = [
  {
    name: 'VOC, many objects',
    file: 'a.xml',
    size: 4000,
    make: (n) => `<annotation>${OBJECT.repeat(n)}</annotation>`,
    read: check,
  },
  {
    name: 'VOC, every object wrong',
    file: 'a.xml',
    size: 4000,
    make: (n) => `<annotation>${OBJECT.repeat(n).replaceAll('>1<', '>x<')}</annotation>`,
    read: check,
  },
  {
    name: 'VOC, comments that begin',
    file: 'a.xml',
    size: 250_000,
    make: (n) => `<annotation>${'<!--'.repeat(n)}`,
    read: check,
  },
  {
    name: 'VOC, comments',
    file: 'a.xml',
    size: 100_000,
    make: (n) => `<annotation>${'<!-- x -->'.repeat(n)}</annotation>`,
    read: check,
  },
  {
    name: 'VOC, a long attribute',
    file: 'a.xml',
    size: 500_000,
    make: (n) => `<annotation a="${'x'.repeat(n)}"/>`,
    read: check,
  },
  {
    name: 'VOC, references',
    file: 'a.xml',
    size: 100_000,
    make: (n) => `<annotation><filename>${'&amp;'.repeat(n)}</filename></annotation>`,
    read: check,
  },
  {
    name: 'VOC, names that never end',
    file: 'a.xml',
    size: 500_000,
    make: (n) => `<annotation><${'a'.repeat(n)}`,
    read: check,
  },
  {
    name: 'COCO, many boxes',
    file: 'instances_train.json',
    size: 20_000,
    make: (n) => cocoOf(list(n, JSON_BOX)),
    read: check,
  },
  {
    name: 'COCO, every box wrong',
    file: 'instances_train.json',
    size: 5000,
    make: (n) => cocoOf(list(n, (i) => `{"id":${i},"image_id":1,"category_id":1,"bbox":[1,1,2]}`)),
    read: check,
  },
  {
    name: 'COCO, many classes',
    file: 'instances_train.json',
    size: 10_000,
    make: (n) =>
      cocoOf(
        '',
        list(n, (i) => `{"id":${i},"name":"n${i}"}`),
      ),
    read: check,
  },
  {
    name: 'COCO, unknown classes',
    file: 'instances_train.json',
    size: 3000,
    make: (n) =>
      cocoOf(
        list(n, (i) => JSON_BOX(i).replace('y_id":1', `y_id":${-1 - i}`)),
        list(n, (i) => `{"id":${i},"name":"n${i}"}`),
      ),
    read: check,
  },
  {
    name: 'COCO, cut off',
    file: 'instances_train.json',
    size: 20_000,
    make: (n) => cocoOf(list(n, JSON_BOX)).slice(0, -20),
    read: check,
  },
  {
    name: 'COCO, a quote that hides brackets',
    file: 'instances_train.json',
    size: 200_000,
    make: (n) => `{"images":"\n${'['.repeat(n)}`,
    read: check,
  },
  {
    name: 'lines of keys',
    file: 'a.json',
    size: 30_000,
    make: (n) => `[${list(n, () => '{"a":1}\n')}]`,
    read: (_, text) =>
      linesOfKeys(
        text,
        Array.from({ length: text.length / 9 }, (__, i) => `[${i}].a`),
      ),
  },
  {
    name: 'YOLO, many lines',
    file: 'labels/a.txt',
    size: 20_000,
    make: (n) => '0 0.5 0.5 0.1 0.1\n'.repeat(n),
    read: check,
    others: { 'classes.txt': 'car\n' },
  },
  {
    name: 'YOLO, a long polygon',
    file: 'labels/a.txt',
    size: 40_000,
    make: (n) => `0 ${'0.5 0.4 '.repeat(n)}\n`,
    read: check,
    others: { 'classes.txt': 'car\n' },
  },
  {
    name: 'YOLO, many digits',
    file: 'labels/a.txt',
    size: 100_000,
    make: (n) => `0 0.5 0.5 0.1 ${'1'.repeat(n)}x\n`,
    read: check,
    others: { 'classes.txt': 'car\n' },
  },
  {
    name: 'obj.data, empty lines',
    file: 'obj.data',
    size: 100_000,
    make: (n) => `${'\n'.repeat(n)}x`,
    read: check,
    others: { 'a.txt': '0 0.5 0.5 0.1 0.1\n', 'classes.txt': 'car\n' },
  },
  {
    name: 'data.yaml, many names',
    file: 'data.yaml',
    size: 5000,
    make: (n) => `train: .\nnames:\n${Array.from({ length: n }, (_, i) => `  ${i}: n${i}\n`).join('')}`,
    read: check,
    others: { 'a.txt': '0 0.5 0.5 0.1 0.1\n' },
  },
  {
    name: 'data.yaml, brackets',
    file: 'data.yaml',
    size: 100_000,
    make: (n) => `names: ${'['.repeat(n)}\ntrain: .`,
    read: check,
    others: { 'a.txt': '0 0.5 0.5 0.1 0.1\n' },
  },
  {
    name: 'list, many boxes on a line',
    file: 'train.txt',
    size: 40_000,
    make: (n) => `a.png ${'1,1,2,2,0 '.repeat(n)}\n`,
    read: check,
    others: { 'classes.txt': 'car\n' },
  },
  {
    name: 'list, digits and no comma',
    file: 'train.txt',
    size: 100_000,
    make: (n) => `a.png 1,1,2,2,0 ${'1'.repeat(n)} ${'2 '.repeat(n)}\n`,
    read: check,
    others: { 'classes.txt': 'car\n' },
  },
  {
    name: 'list, deep paths',
    file: 'train.txt',
    size: 2000,
    make: (n) =>
      [...Array<string>(n / 1000).fill('a/'.repeat(2000)), 'a/'.repeat(n)]
        .map((path) => `${path}b.png 1,1,2,2,0\n`)
        .join(''),
    read: check,
    others: { 'classes.txt': 'car\n' },
  },
  {
    name: 'OpenImages, many rows',
    file: 'train-annotations-bbox.csv',
    size: 20_000,
    make: (n) => `ImageID,LabelName,XMin,XMax,YMin,YMax\n${'a,/m/1,0.1,0.2,0.1,0.2\n'.repeat(n)}`,
    read: check,
  },
  {
    name: 'OpenImages, quotes',
    file: 'train-annotations-bbox.csv',
    size: 200_000,
    make: (n) => `ImageID,LabelName,XMin,XMax,YMin,YMax\n"${'""'.repeat(n)}`,
    read: check,
  },
  {
    name: 'Darknet printed, prompts',
    file: 'd.txt',
    size: 20_000,
    make: (n) => `${'Enter Image Path: '.repeat(n)}\na: Predicted in 1\ncar: 9%(left_x:`,
    read: (folder) => readEvaluation({ truth: join(folder, 't'), detections: join(folder, 'd.txt') }),
    others: { 't/instances_val.json': cocoOf(JSON_BOX(1)) },
  },
  {
    name: 'COCO results',
    file: 'd.json',
    size: 20_000,
    make: (n) => `[${list(n, (i) => JSON_BOX(i).replace('}', ',"score":0.5}'))}]`,
    read: (folder) => readEvaluation({ truth: join(folder, 't'), detections: join(folder, 'd.json') }),
    others: { 't/instances_val.json': cocoOf(JSON_BOX(1)) },
  },
  {
    name: 'cfg, many sections',
    file: 'net.cfg',
    size: 5000,
    make: (n) =>
      `[net]\nwidth=32\nheight=32\n${'[convolutional]\nfilters=2\nsize=1\nactivation=leaky\n'.repeat(n)}`,
    read: (_, text) => parseCfg(text),
  },
  {
    name: 'safetensors, many tensors',
    file: 'a.safetensors',
    size: 5000,
    make: (n) =>
      withLength(`{${list(n, (i) => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`)}}`),
    read: (_, text) => decodeSafetensors(Buffer.from(text, 'latin1'), 'a'),
  },
  {
    name: 'profile, blanks',
    file: 'p.yaml',
    size: 20_000,
    make: (n) => `a:${' '.repeat(n)}b`,
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'profile, lines',
    file: 'p.yaml',
    size: 10_000,
    make: (n) => Array.from({ length: n }, (_, i) => `k${i}: &a${i} v # c\n`).join(''),
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'profile, a flow of commas',
    file: 'p.yaml',
    size: 40_000,
    make: (n) => `a: [${'1, '.repeat(n)}]`,
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'profile, a long quote',
    file: 'p.yaml',
    size: 20_000,
    make: (n) => `a: "${'x\n '.repeat(n)}"`,
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'profile, a long comment',
    file: 'p.yaml',
    size: 100_000,
    make: (n) => `a: 1\n${'# x\n'.repeat(n)}`,
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'profile, keys that nest',
    file: 'p.yaml',
    size: 250,
    make: (n) => Array.from({ length: n }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'profile, aliases',
    file: 'p.yaml',
    size: 20_000,
    make: (n) => `a: &a x\nb: [${'*a, '.repeat(n)}]`,
    read: (folder) => loadProfile(join(folder, 'p.yaml')),
  },
  {
    name: 'notebook, brackets',
    file: 'n.ipynb',
    size: 500_000,
    make: (n) => '['.repeat(n),
    read: (folder) => readNotebook(join(folder, 'n.ipynb')),
  },
]

function withLength(header: string): string {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return length.toString('latin1') + header
}

/** Files four times as large that take less CPU time than this say nothing about growth. */
const LEAST_SECONDS = 0.4

/** Measures all cases; a slow one that grows faster than its file has a ratio far above 1. */
export async function measureGrowth(scratch: string): Promise<Growth[]> {
  const found: Growth[] = []
  for (const [i, { name, file, make, size, read, others = {} }] of CASES.entries()) {
    const measured: [number, number][] = []
    for (const n of [size, 4 * size]) {
      const folder = join(scratch, `${i}-${n}`)
      const text = make(n)
      for (const [place, content] of Object.entries({ ...others, [file]: text })) {
        mkdirSync(dirname(join(folder, place)), { recursive: true })
        writeFileSync(join(folder, place), content, 'latin1')
      }
      const before = process.cpuUsage()
      await Promise.resolve()
        .then(() => read(folder, text))
        .catch((error: unknown) => {
          if (!(error instanceof Error) || error instanceof RangeError || error instanceof TypeError)
            throw error
        })
      const { user, system } = process.cpuUsage(before)
      measured.push([text.length, (user + system) / 1e6])
    }
    const [small, large] = measured as [[number, number], [number, number]]
    const isQuick = large[1] < LEAST_SECONDS
    const ratio = isQuick ? 1 : large[1] / Math.max(0.05, small[1]) / (large[0] / small[0])
    found.push({ name, small, large, ratio })
  }
  return found
}
