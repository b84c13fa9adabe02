/**
 * The evaluator's side of the comparison with pycocotools, on a problem of COCO val's size, generated: 5,000 images,
 * 80 classes, 36,000 truths, 500,000 detections.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../lib/base'
import {
  type Detections,
  evaluateCoco,
  evaluateVoc,
  matchTable,
  meanApFromTable,
  type Truths,
} from '../../lib/evaluate'
import { forgetPeak } from '../../lib/trial'
import { residentMemory } from '../../lib/trial/memory'
import type { Answer } from './protocol'

const IMAGES = 5000
const CLASSES = 80
const TRUTHS = 36000
const DETECTIONS = 500000

interface Evaluation {
  readonly truths: Truths
  readonly detections: Detections
  /** Resident memory before the first evaluation, MiB. */
  readonly before: number
}

let prepared: Evaluation | undefined

function evaluation(): Evaluation {
  if (!prepared) throw new Error('expected a prepared evaluation, found none')
  return prepared
}

/** The twelve numbers and the seconds they took. */
export function runEvaluator(): Answer<'evaluate'> {
  const { truths, detections } = evaluation()
  let stats: readonly number[] = []
  const seconds = time(() => {
    stats = evaluateCoco(truths, detections).stats
  })
  return { seconds, stats: [...stats] }
}

/** Seconds of the other evaluations (`voc`, one bootstrap `resample`), and the memory all needed beyond the data. */
export function evaluatorExtras(): Answer<'evaluatorExtras'> {
  const { truths, detections, before } = evaluation()
  const grownMiB = residentMemory().peakMiB - before
  const table = matchTable(truths, detections)
  const random = new Random('resample')
  const weights = new Int32Array(IMAGES)
  for (let i = 0; i < IMAGES; i++) weights[random.integer(IMAGES)]!++
  meanApFromTable(table, weights)
  const resample = time(() => meanApFromTable(table, weights))
  const voc = time(() => evaluateVoc(truths, detections))
  return { voc, resample, grownMiB }
}

/** Generates the problem and writes it in pycocotools' format. */
export function writeEvaluation(folder: string): Answer<'evaluatorPrepare'> {
  const { truths, detections } = generate()
  const bbox = (rows: Truths | Detections, i: number) => {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = rows.box.subarray(4 * i, 4 * i + 4)
    return [x1, y1, x2 - x1, y2 - y1] as const
  }
  const annotations = Array.from(truths.image, (image, i) => {
    const shape = bbox(truths, i)
    return {
      id: i + 1,
      image_id: image,
      category_id: truths.label[i],
      bbox: shape,
      area: shape[2] * shape[3],
      iscrowd: truths.crowd?.[i] ?? 0,
    }
  })
  const images = Array.from({ length: IMAGES }, (_, id) => ({ id }))
  const categories = Array.from({ length: CLASSES }, (_, id) => ({ id, name: `${id}` }))
  writeFileSync(join(folder, 'truths.json'), JSON.stringify({ images, categories, annotations }))
  const results = Array.from(detections.image, (image, i) => ({
    image_id: image,
    category_id: detections.label[i],
    bbox: bbox(detections, i),
    score: detections.score[i],
  }))
  writeFileSync(join(folder, 'detections.json'), JSON.stringify(results))
  forgetPeak()
  prepared = { truths, detections, before: residentMemory().presentMiB }
  return {}
}

function generate(): { truths: Truths; detections: Detections } {
  const random = new Random('evaluator benchmark')
  const truths = {
    images: IMAGES,
    classes: CLASSES,
    image: new Int32Array(TRUTHS),
    label: new Int32Array(TRUTHS),
    box: new Float64Array(TRUTHS * 4),
    crowd: new Uint8Array(TRUTHS),
  }
  const rowsOf: number[][] = Array.from({ length: IMAGES }, () => [])
  for (let i = 0; i < TRUTHS; i++) {
    const side = 10 * 30 ** random.next()
    truths.image[i] = random.integer(IMAGES)
    truths.label[i] = Math.floor(CLASSES * random.next() ** 2)
    truths.crowd[i] = random.chance(0.01) ? 1 : 0
    truths.box.set(
      box(random.uniform(0, 500), random.uniform(0, 350), side, side * random.uniform(0.5, 2)),
      4 * i,
    )
    rowsOf[truths.image[i]!]!.push(i)
  }
  const detections = {
    image: new Int32Array(DETECTIONS),
    label: new Int32Array(DETECTIONS),
    score: new Float64Array(DETECTIONS),
    box: new Float64Array(DETECTIONS * 4),
  }
  for (let i = 0; i < DETECTIONS; i++) {
    const image = i % IMAGES
    const rows = rowsOf[image]!
    detections.image[i] = image
    const [x1, y1, x2, y2] =
      rows.length > 0 && random.chance(0.5)
        ? (() => {
            const truth = random.pick(rows)
            detections.label[i] = random.chance(0.85) ? truths.label[truth]! : random.integer(CLASSES)
            detections.score[i] = Math.round(1000 * random.next() ** 0.7) / 1000
            const [a, b, c, d] = Array.from(truths.box.subarray(4 * truth, 4 * truth + 4))
            const shift = 0.15 * (c! - a!)
            const moved = (v: number) => Math.round(100 * (v + random.uniform(-shift, shift))) / 100
            return [moved(a!), moved(b!), moved(c!), moved(d!)] as const
          })()
        : (() => {
            detections.label[i] = random.integer(CLASSES)
            detections.score[i] = Math.round(1000 * random.next() ** 3) / 1000
            return box(
              random.uniform(0, 500),
              random.uniform(0, 350),
              random.uniform(5, 200),
              random.uniform(5, 200),
            )
          })()
    detections.box.set([x1, y1, Math.max(x1, x2), Math.max(y1, y2)], 4 * i)
  }
  return { truths, detections }
}

function box(x: number, y: number, width: number, height: number): [number, number, number, number] {
  const round = (v: number) => Math.round(v * 100) / 100
  return [round(x), round(y), round(x + width), round(y + height)]
}

function time(work: () => unknown): number {
  const begin = performance.now()
  work()
  return (performance.now() - begin) / 1000
}
