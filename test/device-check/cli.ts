/** `npx workbook cuda`: compares what a GPU computes with the CPU of the same machine. */
import path from 'node:path'
import { Command, Option } from 'commander'
import { interruptSignal } from '../../lib/base'
import { startProgram } from '../../lib/workbench/program'
import { root } from '../../lib/workbench/project'
import { wholeNumber } from '../../lib/workbench/whole-number'
import { ARITHMETICS, type Arithmetic } from './formats'

/** Exit code if there is no CUDA device; 1 means that a number differs too much. */
const NO_DEVICE = 2

interface Options {
  readonly againstItself?: boolean
  readonly formats: readonly Arithmetic[]
  readonly images: number
  readonly batch: number
  readonly steps: number
}

const program = new Command('npx workbook cuda')
  .description(
    'check placement, losses, gradients, detection, evaluation and a short training on the GPU against the CPU; ' +
      `exit code 1: something differs too much, ${NO_DEVICE}: no CUDA device`,
  )
  .option(
    '--against-itself',
    'compare the CPU with itself using other kernels, to try the check without a GPU',
  )
  .addOption(
    new Option('--formats <names...>', 'how the GPU computes').choices(ARITHMETICS).default(ARITHMETICS),
  )
  .option('--images <n>', 'scenes to train and to evaluate on', wholeNumber, 64)
  .option('--batch <n>', 'images a step', wholeNumber, 8)
  .option('--steps <n>', 'steps of the short training', wholeNumber, 20)
  .action(async ({ againstItself = false, ...options }: Options) => {
    const { countFailures, describeCheck } = require('./report') as typeof import('./report')
    const { checkDevice } = require('./run') as typeof import('./run')
    const result = await checkDevice({
      ...{ againstItself, ...options },
      cache: path.join(root, '.cache', 'data'),
      signal: interruptSignal(),
      onProgress: (text) => console.error(`  ${text}`),
    })
    if (!result) {
      console.error(
        `TensorFlow finds no CUDA device here, so nothing was checked. With one, ${options.images} scenes, batches of ` +
          `${options.batch} and ${options.steps} steps of training would be computed by the CPU in float32 and by the GPU in ` +
          `${options.formats.join(', ')}, and compared: where each operation of a step runs, losses and gradients of the ` +
          'ground truth and of every method, decoding and NMS, mAP, and the training. See nvidia-smi and "npx workbook ' +
          'setup --cuda", or try the check itself with --against-itself.',
      )
      process.exitCode = NO_DEVICE
      return
    }
    console.log(describeCheck(result))
    const { failed, total } = countFailures(result)
    if (failed > 0) throw new Error(`${failed} of ${total} comparisons failed.`)
    console.log(`\nAll ${total} comparisons agree.`)
  })

startProgram(program)
