import { Command, InvalidArgumentError } from 'commander'
import type { EvaluationFiles, EvaluationSummary, MistakesResult, SizeResult, VocAtIou } from '../../evaluate'
import { parseSplit, withDataOptions } from '../data-options'
import { note, say } from '../say'
import { textTable } from '../text-table'

/** Loaded only when needed, not for help. */
const evaluation = () => require('../../evaluate') as typeof import('../../evaluate')

interface EvaluateOptions extends Omit<EvaluationFiles, 'split'> {
  readonly split?: string
  readonly iou?: readonly number[]
  readonly plusOne?: boolean
  readonly json?: boolean
}

/** `evaluate`: VOC's and COCO's numbers for detections in files. */
export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description("VOC's and COCO's numbers of detections against truths, by class, size and kind of mistake")
    .requiredOption(
      '--truth <path>',
      'a file or folder of labels in any notation, or the folder of a data set',
    )
    .requiredOption(
      '--detections <path>',
      "COCO's results (.json), VOC's comp*_det_*_<class>.txt, a folder of one .txt per image, or the output of Darknet or Ultralytics",
    )
  return withDataOptions(command)
    .option('--split <name>', 'only the images of that split: train, val or test')
    .option('--detection-classes <file>', "names of the detections' class numbers, one a line")
    .option('--first-class <number>', 'number of the first class if category ids are only numbers', Number)
    .option(
      '--columns <names>',
      'columns of a line of detections: class, score and x1 y1 x2 y2 or x y w h (pixels) or cx cy w h (fractions); detected by default',
    )
    .option('--iou <list>', "IoU thresholds of VOC's mAP beside 0.5, e.g. 0.3,0.7", parseIous)
    .option('--plus-one', "VOC's IoU as in the devkit: widths and heights include both end pixels")
    .option('--json', 'print everything as JSON')
    .action(evaluate)
}

async function evaluate(options: EvaluateOptions): Promise<void> {
  const { bySize, confusionMatrix, doubts, evaluateDetections, mistakes, readEvaluation, vocAtIous } =
    evaluation()
  const { plusOne, iou = [], json } = options
  const split = options.split === undefined ? undefined : parseSplit(options.split)
  const { truths, detections, classes, notes } = await readEvaluation({ ...options, split })
  const summary = evaluateDetections(truths, detections, { classes, plusOne })
  const found = mistakes(truths, detections)
  const sizes = bySize(truths, detections)
  const atIous = iou.length === 0 ? [] : vocAtIous(truths, detections, iou, { plusOne })
  const warnings = doubts(truths, detections, classes)
  for (const line of [...notes, ...warnings]) note(line)
  if (json) {
    const { counts } = confusionMatrix(truths, detections)
    const { list: _, ...kinds } = found
    const result = { ...summary, mistakes: kinds, sizes, confusion: counts, warnings }
    console.log(JSON.stringify(iou.length > 0 ? { ...result, vocAtIous: atIous } : result, null, 2))
    return
  }
  say(
    `${summary.images} images, ${summary.truths} truths, ${summary.detections} detections, ${classes.length} classes`,
  )
  for (const table of [numbers(summary, atIous), perClass(summary), perSize(sizes), perKind(found)])
    say(table)
}

function parseIous(text: string): number[] {
  const ious = text.split(',').map(Number)
  if (!ious.every((iou) => iou > 0 && iou <= 1))
    throw new InvalidArgumentError('expected numbers above 0 and up to 1, separated by commas')
  return ious
}

function numbers({ voc, coco }: EvaluationSummary, atIous: readonly VocAtIou[]): string {
  const plusOne = voc.plusOne ? ', +1' : ''
  const rows = [{ iou: 0.5, mAP: voc.mAP, mAP11: voc.mAP11 }, ...atIous].flatMap(({ iou, mAP, mAP11 }) => [
    [`VOC mAP@${iou}, all-point${plusOne}`, percent(mAP)],
    [`VOC mAP@${iou}, 11-point${plusOne}`, percent(mAP11)],
  ])
  const cocos = evaluation().COCO_NAMES.map((name) => [`COCO ${name}`, percent(coco[name])])
  return textTable(['measure', 'value'], [...rows, ...cocos], { words: 1 })
}

function perClass(summary: EvaluationSummary): string {
  const head = ['class', 'truths', 'detections', 'VOC AP', 'COCO AP', 'AP75', 'AR100', 'best F1', 'at score']
  const rows = summary.perClass.map(({ name, truths, detections, ap, AP, AP75, AR100, best }) => [
    ...[name, truths, detections, percent(ap), percent(AP), percent(AP75), percent(AR100)],
    ...[percent(best?.f1 ?? null), best === null ? '-' : best.score.toFixed(3)],
  ])
  return textTable(head, rows, { words: 1 })
}

function perSize(sizes: readonly SizeResult[]): string {
  const head = ['size', 'sides in pixels', 'truths', 'AP', 'AP50', 'AR', 'recall@0.5']
  const rows = sizes.map(({ name, range, truths, AP, AP50, AR, recall50 }) => {
    const [low, high] = range.map(Math.sqrt) as [number, number]
    const sides = high >= 1e5 ? `from ${low}` : `${low} to ${high}`
    return [name, sides, truths, percent(AP), percent(AP50), percent(AR), percent(recall50)]
  })
  return textTable(head, rows, { words: 2 })
}

function perKind({ kinds, falsePositives, falseNegatives }: MistakesResult): string {
  const rows = [
    ...evaluation().MISTAKE_KINDS.map((kind) => [kind, kinds[kind].count, percent(kinds[kind].cost)]),
    ['all false positives', '', percent(falsePositives)],
    ['all false negatives', '', percent(falseNegatives)],
  ]
  return textTable(['mistake', 'count', 'mAP@0.5 it costs'], rows, { words: 1 })
}

/** In percent; a dash for undefined numbers (null, COCO's -1). */
function percent(value: number | null): string {
  return value === null || value === -1 || Number.isNaN(value) ? '-' : (value * 100).toFixed(2)
}
