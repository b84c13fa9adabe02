import Table from 'cli-table3'
import { Command, Option } from 'commander'
import type { EvaluationFiles, EvaluationSummary, MistakesResult, SizeResult } from '../../evaluate'

/** Loaded by who needs it: not for help. */
const evaluation = () => require('../../evaluate') as typeof import('../../evaluate')

interface EvaluateOptions extends EvaluationFiles {
  readonly plusOne?: boolean
  readonly json?: boolean
}

/** `evaluate`: VOC's and COCO's numbers of detections in files. */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description("VOC's and COCO's numbers of detections against truths, by class, size and kind of mistake")
    .requiredOption('--truth <path>', "COCO's .json, a folder of VOC's .xml, or a folder of YOLO's .txt")
    .requiredOption(
      '--detections <path>',
      "COCO's results (.json), VOC's comp*_det_*_<class>.txt, or a folder of one .txt for each image",
    )
    .addOption(
      new Option('--format <notation>', 'of the truths; recognised by default').choices([
        'coco',
        'voc',
        'yolo',
      ]),
    )
    .option('--classes <file>', "the truths' class names, one a line")
    .option('--detection-classes <file>', "names behind the detections' class numbers, one a line")
    .option('--images <folder>', 'images, where boxes are shares of their sizes')
    .option(
      '--columns <names>',
      'what a line of detections holds: class, score and x1 y1 x2 y2 or x y w h (pixels) or cx cy w h (shares)',
    )
    .addOption(
      new Option(
        '--voc-pixels <meaning>',
        "VOC numbers: 'corners', or the devkit's 'inclusive' pixels from 1",
      ).choices(['corners', 'inclusive']),
    )
    .option('--plus-one', "VOC's IoU as in the devkit: widths and heights count both end pixels")
    .option('--json', 'print everything as JSON')
    .action(async (options: EvaluateOptions) => {
      const { bySize, confusionMatrix, evaluateDetections, mistakes, readEvaluation } = evaluation()
      const { truths, detections, classes, notes } = await readEvaluation(options)
      for (const note of notes) console.error(note)
      const summary = evaluateDetections(truths, detections, { classes, plusOne: options.plusOne })
      const found = mistakes(truths, detections)
      const sizes = bySize(truths, detections)
      if (options.json) {
        const { counts } = confusionMatrix(truths, detections)
        const { list: _, ...kinds } = found
        console.log(JSON.stringify({ ...summary, mistakes: kinds, sizes, confusion: counts }, null, 2))
        return
      }
      console.log(
        `${summary.images} images, ${summary.truths} truths, ${summary.detections} detections, ${classes.length} classes`,
      )
      for (const table of [numbers(summary), perClass(summary), perSize(sizes), perKind(found)]) {
        console.log(table.toString())
      }
    })
}

function numbers({ voc, coco }: EvaluationSummary): Table.Table {
  const table = makeTable(['measure', 'value'], 1)
  const plusOne = voc.plusOne ? ', +1' : ''
  table.push([`VOC mAP@0.5, all-point${plusOne}`, percent(voc.mAP)])
  table.push([`VOC mAP@0.5, 11-point${plusOne}`, percent(voc.mAP11)])
  for (const name of evaluation().COCO_NAMES) table.push([`COCO ${name}`, percent(coco[name])])
  return table
}

function perClass(summary: EvaluationSummary): Table.Table {
  const table = makeTable(
    ['class', 'truths', 'detections', 'VOC AP', 'COCO AP', 'AP75', 'AR100', 'best F1', 'at score'],
    1,
  )
  for (const { name, truths, detections, ap, AP, AP75, AR100, best } of summary.perClass) {
    const f1 = [percent(best?.f1 ?? null), best === null ? '-' : best.score.toFixed(3)]
    table.push([name, truths, detections, percent(ap), percent(AP), percent(AP75), percent(AR100), ...f1])
  }
  return table
}

function perSize(sizes: readonly SizeResult[]): Table.Table {
  const table = makeTable(['size', 'sides in pixels', 'truths', 'AP', 'AP50', 'AR', 'recall@0.5'], 2)
  for (const { name, range, truths, AP, AP50, AR, recall50 } of sizes) {
    const [low, high] = range.map(Math.sqrt) as [number, number]
    const sides = high >= 1e5 ? `from ${low}` : `${low} to ${high}`
    table.push([name, sides, truths, percent(AP), percent(AP50), percent(AR), percent(recall50)])
  }
  return table
}

function perKind({ kinds, falsePositives, falseNegatives }: MistakesResult): Table.Table {
  const table = makeTable(['mistake', 'count', 'mAP@0.5 it costs'], 1)
  for (const kind of evaluation().MISTAKE_KINDS)
    table.push([kind, kinds[kind].count, percent(kinds[kind].cost)])
  table.push(['all false positives', '', percent(falsePositives)])
  table.push(['all false negatives', '', percent(falseNegatives)])
  return table
}

/** The first `texts` columns are words, the others numbers. */
function makeTable(head: string[], texts: number): Table.Table {
  const colAligns = head.map((_, i) => (i < texts ? ('left' as const) : ('right' as const)))
  return new Table({ head, colAligns, style: { head: [], border: [], compact: true } })
}

/** In percent; undefined numbers (null, COCO's -1) as a dash. */
function percent(value: number | null): string {
  return value === null || value === -1 || Number.isNaN(value) ? '-' : (value * 100).toFixed(2)
}
