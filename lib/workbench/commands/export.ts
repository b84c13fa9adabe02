import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { interruptSignal } from '../../base'
import type { Exported, FileRequest } from '../../deploy'
import { HEADS, PIXELS, PRECISIONS } from '../../deploy/options'
import { withModelData } from '../data-options'
import type { ModelDataOptions } from '../model-data'
import { showProgress } from '../progress'
import { say } from '../say'
import { wholeNumber } from '../whole-number'

/** Loaded by who needs it: not for help. */
const deploy = () => require('../../deploy') as typeof import('../../deploy')

interface Options
  extends Omit<ModelDataOptions, 'format'>,
    Pick<FileRequest, 'head' | 'pixels' | 'precision'> {
  readonly to?: string
  readonly batch?: number | 'any'
  readonly for?: FileRequest['target']
  readonly int8Head?: boolean
  readonly frames: number
  readonly seed: number
}

/** `export`: a checkpoint's model as a file for elsewhere, proved in the runtime that it is for. */
export function exportCommand(): Command {
  const command = new Command('export')
    .description(
      'write the model of a checkpoint for elsewhere: a name that ends in .onnx, .tflite, .cfg (Darknet) or .json (checkpoint), ' +
        'or a folder called saved_model or tfjs. The file is run in its own runtime and compared with the model; one that ' +
        'differs is not left. A README of how to run it comes with it',
    )
    .argument('<checkpoint>', 'a .json file')
    .argument('<out>', 'file or folder')
    .option('--to <format>', 'saved-model or tfjs, of a folder that is called otherwise')
    .addOption(new Option('--head <head>', 'what it gives').choices(HEADS).default('logits'))
    .option('--batch <count>', 'images at once, or "any"; 1 for .tflite, else any', parseBatch)
    .addOption(
      new Option('--pixels <kind>', 'what it takes: 0..1, or bytes 0..255').choices(PIXELS).default('float'),
    )
    .addOption(new Option('--precision <numbers>', 'its numbers').choices(PRECISIONS).default('float32'))
    .addOption(
      new Option('--for <runtime>', 'of .onnx in int8: the runtime whose pattern it is to have').choices([
        'onnxruntime',
        'openvino',
        'tensorrt',
      ]),
    )
    .option('--int8-head', 'of int8: also the last convolutions, which costs accuracy')
    .option(
      '--frames <count>',
      'of int8: frames of training to calibrate on; a model trained as int8 has its scales',
      wholeNumber,
      128,
    )
    .option('--seed <number>', 'of int8: draws them', Number, 0)
  return withModelData(command, 'whose images it is proved on').action(run)
}

function parseBatch(text: string): number | 'any' {
  if (text === 'any') return text
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError('expected a number of images, or "any"')
  return count
}

async function run(from: string, out: string, options: Options): Promise<void> {
  const { exportModel, formatOf } = deploy()
  const { calibrate, calibrationOf, planOf } = require('../../quantise') as typeof import('../../quantise')
  const { loadCheckpoint } = require('../../train') as typeof import('../../train')
  const { CACHE, openModelData } = require('../model-data') as typeof import('../model-data')
  const signal = interruptSignal()
  const model = loadCheckpoint(from)
  if (path.resolve(from) === path.resolve(out)) throw new Error(`${out}: expected another file than ${from}`)
  const format = formatOf(out, options.to)
  const { head, pixels, precision, frames, seed } = options
  const { dataset, crop } = await openModelData(options, signal, precision !== 'int8')
  const trained = precision === 'int8' ? model.quantisation : undefined
  const bar = precision === 'int8' && !trained ? showProgress('calibrating', frames) : undefined
  const calibration = bar
    ? await calibrate(planOf(model), model.sha256, dataset, {
        ...{ frames, seed, crop, cache: CACHE, signal },
        onProgress: (done) => void bar.update(done),
      })
    : trained && calibrationOf(trained.calibration)
  bar?.done()
  const request: FileRequest = {
    ...{ format, head, pixels, precision, calibration },
    int8Head: options.int8Head ?? trained?.head,
    target: options.for ?? (format === 'onnx' ? trained?.for : undefined),
    batch: options.batch ?? (format === 'tflite' ? 1 : 'any'),
  }
  const { validation: samples = [] } = dataset.splits
  const data = { samples, classes: dataset.classes, crop }
  const proving = precision === 'int8' ? showProgress('scoring the file', samples.length) : undefined
  try {
    const exported = await exportModel(model, path.resolve(out), request, data, {
      signal,
      onProgress: (done) => void proving?.update(done),
    })
    proving?.done()
    say(report(exported))
  } finally {
    proving?.done()
  }
}

/** What was written, and what the proof found. */
function report({ files, bytes, proof }: Exported): string {
  const { RUNTIME } = deploy()
  const lines = [
    `${files.map((file) => path.relative('', file) || '.').join(', ')}: ${(bytes / 1e6).toFixed(2)} MB`,
  ]
  if (typeof proof === 'string') return [...lines, `Not verified. ${proof}`].join('\n')
  const { runtime, version, batches, maxDifference, meanDifference, bound, ap, head } = proof
  const { equalDetections, detections } = proof
  lines.push(
    `Run in ${RUNTIME[runtime].title} ${version} with batches of ${batches.join(' and ')}: logits differ by at most ` +
      `${maxDifference.toPrecision(3)}${bound === undefined ? '' : ` (allowed ${bound})`}, on average by ${meanDifference.toPrecision(3)}; ` +
      `${equalDetections} of ${detections} detections are the model's.`,
  )
  if (head) {
    lines.push(
      `Its own head differs from its logits' by ${head.boxes.toPrecision(3)} pixels and scores of ${head.scores.toPrecision(3)}.`,
    )
  }
  if (ap) {
    const points = (value: number) => (100 * value).toFixed(2)
    lines.push(
      `COCO AP on ${ap.images} images ${points(ap.file)}, the model's own in float32 ${points(ap.library)}.`,
    )
  }
  return lines.join('\n')
}
