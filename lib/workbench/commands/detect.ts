import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Crop, Fit } from '../../data'
import type { DetectReport, RunningModel } from '../../deploy/detect'
import { OUTPUTS, type Output } from '../../deploy/detect/outputs'
import type { DecodeOptions } from '../../detector'
import { type DataOptions, openOptions, parseSplit, withDataOptions } from '../data-options'
import { profileCrop } from '../profile-crop'
import { root } from '../project'
import { note, say } from '../say'
import { wholeNumber } from '../whole-number'

/** Loaded by who needs it: not for help. */
const detecting = () => require('../../deploy/detect') as typeof import('../../deploy/detect')

interface Options extends DataOptions {
  readonly teacher?: string
  readonly out?: string
  readonly write: readonly Output[]
  readonly score: number
  readonly writtenScore: number
  readonly objectness?: number
  readonly classProbability?: number
  readonly nmsIou?: number
  readonly limit?: number
  readonly profile?: string
  readonly crop?: Crop
  readonly fit: Fit
  readonly rename?: ReadonlyMap<string, string>
  readonly only?: readonly string[]
  readonly labels?: boolean
  readonly split?: string
  readonly fps?: number
  readonly pageImages: number
  readonly batch: number
}

const EXAMPLES = `
Examples:
  npx workbook detect data/checkpoints/default-student.json photo.jpg
  npx workbook detect student.json drive.mp4 --fps 2 --crop 0,0.13,1,0.8 --out drive
  npx workbook detect student.json 'frames/**/*.png' --teacher teacher.json
  npx workbook detect student.json my-data --split val --teacher teacher.json --profile my.yaml
  npx workbook detect student.json photos --rename pedestrian=person --only car,person --write csv,yolo`

/** `detect`: what one model, or two beside each other, find in the user's own images. */
export function detectCommand(): Command {
  const command = new Command('detect')
    .description(
      'detect in images, a folder, a data set or a video; write pictures with boxes, a page that lays truth, teacher and ' +
        'student beside each other (the largest disagreement first), and files for other programs. Exit code 1 where an ' +
        'image was damaged',
    )
    .argument(
      '<model>',
      'checkpoint (.json), or a file that "export" wrote: .onnx, .tflite, .cfg, saved_model, tfjs',
    )
    .argument(
      '<source...>',
      'images, a pattern in quotation marks, one folder, or one video (needs ffmpeg). A folder that holds more than images is read as a data set with labels',
    )
    .option('--teacher <model>', 'a second model, whose detections are laid beside')
    .option(
      '--out <folder>',
      'new folder of all that is written; runs/detect/<name of the source> by default',
    )
    .addOption(
      new Option('--write <list>', `what is written, of ${OUTPUTS.join(', ')}`)
        .argParser(parseOutputs)
        .default(OUTPUTS, 'all'),
    )
    .option('--score <number>', 'least score of what is drawn', share, 0.3)
    .option('--written-score <number>', 'least score of what stands in the files', share, 0)
    .option('--objectness <number>', 'decoding: least objectness (default: 0.005)', share)
    .option(
      '--class-probability <number>',
      'decoding: the class probability is above it (default: 0.05)',
      share,
    )
    .option('--nms-iou <number>', 'decoding: IoU above which NMS drops a box (default: 0.45)', share)
    .option('--limit <n>', 'decoding: detections an image at most (default: 100)', wholeNumber)
    .option('--profile <name>', "look at the part of the images that a profile's crop says")
    .option('--crop <x1,y1,x2,y2>', 'or at this part, as fractions; all of it by default', parseCrop)
    .addOption(
      new Option('--fit <how>', 'stretch the image to the input, or keep its shape and pad it')
        .choices(['stretch', 'pad'])
        .default('stretch'),
    )
    .option('--rename <from=to>', "a model's class by another name; may be given again", parseRename)
    .option('--only <list>', 'keep these classes alone, e.g. car,bus', parseNames)
    .option('--labels', 'read a folder as a data set with labels')
    .option('--no-labels', 'take the images of a folder and nothing else')
    .option('--split <name>', 'only that split of a data set: train, val or test')
    .option('--fps <number>', 'frames of a video that are looked at, a second; all by default', positive)
    .option('--page-images <n>', 'images of the page at most', wholeNumber, 200)
    .option('--batch <n>', 'images at once', wholeNumber, 8)
    .addHelpText('after', EXAMPLES)
  return withDataOptions(command).action(detect)
}

async function detect(file: string, words: readonly string[], options: Options): Promise<void> {
  const { interruptSignal } = require('../../base') as typeof import('../../base')
  const { showProgress } = require('../progress') as typeof import('../progress')
  const { detectImages, openSource } = detecting()
  const {
    teacher,
    write: outputs,
    labels,
    fps,
    score,
    writtenScore,
    pageImages,
    batch,
    rename,
    only,
  } = options
  const reading = await openOptions(options, words[0]!)
  const split = options.split === undefined ? undefined : parseSplit(options.split)
  const source = await openSource(words, { ...reading, labels, fps, split })
  const out = path.resolve(options.out ?? freeFolder(source.title))
  const models = await openModels([...(teacher === undefined ? [] : [teacher]), file], options)
  const bar = showProgress('detect', source.total)
  const started = performance.now()
  try {
    const report = await detectImages(source, models, out, {
      ...{ outputs, score, writtenScore, pageImages, batch, rename, only },
      ...{ crop: cropOf(options), fit: options.fit, signal: interruptSignal() },
      onProgress: (done) => {
        const rate = done / ((performance.now() - started) / 1000)
        void bar.update(done, `${rate.toFixed(1)} images/s`)
      },
    })
    bar.done()
    tell(report, models, outputs, out)
  } finally {
    bar.done()
    for (const model of models) await model.dispose()
  }
}

function tell(
  { images, damaged, agreement, seconds, modelSeconds }: DetectReport,
  models: readonly RunningModel[],
  outputs: readonly Output[],
  out: string,
): void {
  const { rowsTable } = require('../text-table') as typeof import('../text-table')
  say(agreement.length > 0 ? rowsTable(agreement, { words: 1 }) : 'no box was found')
  say(
    `${images} images in ${seconds.toFixed(1)} s, reading and writing included: ${(images / seconds).toFixed(1)} images/s`,
  )
  const times = modelSeconds?.map((time, i) => `${models[i]!.name} ${(1000 * time).toFixed(1)} ms`)
  if (times) say(`network, decoding and NMS, an image: ${times.join(', ')}`)
  say(outputs.includes('page') ? path.join(out, 'index.html') : out)
  if (damaged.length === 0) return
  note(detecting().leftOut(damaged.length))
  for (const line of damaged) note(`  ${line}`)
  process.exitCode = 1
}

async function openModels(files: readonly string[], options: Options): Promise<RunningModel[]> {
  const { objectness, classProbability, nmsIou: iou, limit } = options
  const said = Object.entries({ objectness, classProbability, iou, limit }).filter(
    ([, value]) => value !== undefined,
  )
  const decode: Partial<DecodeOptions> = Object.fromEntries(said)
  const opened: RunningModel[] = []
  try {
    for (const file of files) opened.push(await detecting().openModel(file, { decode }))
    return opened
  } catch (error) {
    for (const model of opened) await model.dispose()
    throw error
  }
}

function cropOf({ crop, profile }: Options): Crop | undefined {
  if (crop && profile !== undefined) throw new Error('--crop: expected it or --profile, found both')
  return profile === undefined ? crop : profileCrop(profile)
}

/** runs/detect/NAME, or NAME-2 and so on where there is one. */
function freeFolder(title: string): string {
  const folder = path.join(root, 'runs/detect')
  const taken = existsSync(folder) ? readdirSync(folder) : []
  let name = title
  for (let i = 2; taken.includes(name); i++) name = `${title}-${i}`
  return path.join(folder, name)
}

function parseOutputs(text: string): Output[] {
  return text.split(',').map((name) => {
    const output = OUTPUTS.find((known) => known === name.trim())
    if (!output) throw new InvalidArgumentError(`expected some of ${OUTPUTS.join(', ')}, found ${name}`)
    return output
  })
}

const parseNames = (text: string): string[] => text.split(',').map((name) => name.trim())

function parseRename(text: string, earlier: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const [from, to, ...more] = text.split('=').map((name) => name.trim())
  if (!from || !to || more.length > 0)
    throw new InvalidArgumentError('expected from=to, e.g. person=pedestrian')
  return new Map([...earlier, [from, to]])
}

function parseCrop(text: string): Crop {
  const [x1, y1, x2, y2, ...more] = text.split(',').map(Number)
  const isCrop = x1! >= 0 && y1! >= 0 && x2! > x1! && y2! > y1! && x2! <= 1 && y2! <= 1 && more.length === 0
  if (!isCrop) throw new InvalidArgumentError('expected four fractions x1,y1,x2,y2 with x1 < x2 and y1 < y2')
  return [x1!, y1!, x2!, y2!]
}

function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('expected a number from 0 to 1')
  return value
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0')
  return value
}
