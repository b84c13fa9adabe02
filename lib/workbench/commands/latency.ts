import { Command, Option } from 'commander'
import { interruptSignal } from '../../base'
import type { Precision } from '../../engine'
import { withModelData, withPair } from '../data-options'
import type { ModelDataOptions } from '../model-data'
import { say } from '../say'
import { wholeNumber } from '../whole-number'

interface Options extends ModelDataOptions {
  readonly frames: number
  readonly precision: Precision
  readonly layers?: boolean
}

/** `latency`: two models as a car would see them, a frame at a time, and where their time goes. */
export function latencyCommand(): Command {
  const command = new Command('latency').description(
    'time two models in turns, one frame at a time, from pixels to boxes, on one thread: median and 95th percentile; run it when ' +
      'nothing else does',
  )
  return withModelData(withPair(command), 'whose images of validation are seen')
    .option('--frames <count>', 'timed frames of each', wholeNumber, 200)
    .addOption(
      new Option('--precision <name>', 'what both compute in')
        .choices(['float32', 'bfloat16', 'float16'])
        .default('float32'),
    )
    .option('--layers', 'also time every layer, in float32')
    .action(run)
}

async function run(teacher: string, student: string, options: Options): Promise<void> {
  const { measureLatencies } = require('../../trial') as typeof import('../../trial')
  const { loadCheckpoint } = require('../../train') as typeof import('../../train')
  const { complexity } = require('../../detector') as typeof import('../../detector')
  const { describeLatency, milliseconds, percent } = (
    require('../../report') as typeof import('../../report')
  ).format
  const { openModelData } = require('../model-data') as typeof import('../model-data')
  const { rowsTable, textTable } = require('../text-table') as typeof import('../text-table')
  const signal = interruptSignal()
  const { frames, precision, layers } = options
  const models = [loadCheckpoint(teacher), loadCheckpoint(student)]
  const { dataset, crop } = await openModelData(options, signal)
  const measured = await measureLatencies([teacher, student], dataset.splits.validation ?? [], {
    ...{ precision, frames, signal },
    ...(crop && { crop }),
  })
  const macs = models.map(({ network }) => complexity(network).macs)
  const rows = ['teacher', 'student'].map((name, i) => [
    name,
    (macs[i]! / 1e6).toFixed(1),
    percent(macs[i]! / macs[0]!),
    milliseconds(measured.models[i]),
    percent(measured.models[i]!.median / measured.models[0]!.median),
  ])
  say(
    textTable(['', 'MMACs', 'of the teacher’s', 'ms a frame (95th percentile)', 'of the teacher’s'], rows, {
      words: 1,
    }),
  )
  say(`${describeLatency(measured)}.`)
  if (!layers) return
  const { timeLayers } = require('../../deploy') as typeof import('../../deploy')
  const { layerTable } = require('../../report') as typeof import('../../report')
  say(rowsTable(layerTable(await timeLayers(models, { signal })), { words: 1 }))
}
