/** `npx workbook darknet`: reads the published networks' files with OpenCV and with this library, and compares the results. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../../lib/base'
import { startProgram } from '../../../lib/workbench/program'
import { pythonProgram, root } from '../../../lib/workbench/project'
import { ensureVenv } from '../../../lib/workbench/venv'

const program = new Command('npx workbook darknet')
  .description(
    'run YOLOv3, YOLOv3-SPP, YOLOv3-tiny and darknet21 of full size on generated weights in OpenCV and in ' +
      'this library; fails if a logit differs by more than 1e-4 of the largest (minutes, 3 GB of memory)',
  )
  .option(
    '--update',
    'use narrowed networks instead, and store their logits as the reference values of the tests',
  )
  .option(
    '--train',
    'instead, without OpenCV: read YOLOv3, YOLOv3-SPP and YOLOv3-tiny of 416x416, run them, train three steps from the weights of ' +
      'their backbones alone, prune them to half their MACs, and write and read them again; prints times and memory (minutes, 6 GB)',
  )
  .action(async ({ update = false, train = false }: { update?: boolean; train?: boolean }) => {
    const signal = interruptSignal()
    if (train) {
      for (const name of ['yolov3', 'yolov3-spp', 'yolov3-tiny'])
        await run(process.execPath, ['--require', './lib/engine/loader.cjs', FULL_SIZE, name], signal)
      return
    }
    const programs = await ensureVenv({
      prefix: path.join(root, '.cache/opencv-venv'),
      list: path.join(__dirname, 'requirements.txt'),
      python: pythonProgram('python'),
      title: 'OpenCV; 150 MB',
      otherwise: 'without it, npm test compares narrowed networks with stored values',
      signal,
    })
    const python = path.join(programs, 'python')
    const words = [path.join(__dirname, 'darknet.py'), update ? 'update' : 'full']
    await run(python, words, signal)
  })

const FULL_SIZE = 'test/detector/oracle/full-size.ts'

/** @throws Error when the program fails */
async function run(command: string, words: readonly string[], signal: AbortSignal): Promise<void> {
  const status = await new Promise((resolve, reject) => {
    const child = spawn(command, words, { cwd: root, stdio: 'inherit', signal })
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}.`)
}

startProgram(program)
