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
  .action(async ({ update = false }: { update?: boolean }) => {
    const signal = interruptSignal()
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
    const status = await new Promise((resolve, reject) => {
      const child = spawn(python, words, { cwd: root, stdio: 'inherit', signal })
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}.`)
  })

startProgram(program)
