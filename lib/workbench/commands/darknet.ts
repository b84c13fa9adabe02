import { spawn } from 'node:child_process'
import path from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../base'
import { pythonProgram, root } from '../project'
import { ensureVenv } from '../venv'

const ORACLE = path.join(root, 'test/detector/oracle')

/** `darknet`: the published networks' files through OpenCV's reader and through this library's. */
export function darknetCommand(): Command {
  return new Command('darknet')
    .description(
      'run YOLOv3, YOLOv3-SPP, YOLOv3-tiny and darknet21 of full size on generated weights through OpenCV and through ' +
        'this library; fails where a logit differs by more than 1e-4 of the largest (minutes, 3 GB of memory)',
    )
    .option(
      '--update',
      'narrowed networks instead, whose logits become the values that the tests compare with',
    )
    .action(async ({ update = false }: { update?: boolean }) => {
      const signal = interruptSignal()
      const programs = await ensureVenv({
        prefix: path.join(root, '.cache/opencv-venv'),
        list: path.join(ORACLE, 'requirements.txt'),
        python: pythonProgram('python'),
        title: 'OpenCV; 150 MB',
        otherwise: 'npm test compares narrowed networks with stored values without it',
        signal,
      })
      const python = path.join(programs, 'python')
      const words = [path.join(ORACLE, 'darknet.py'), update ? 'update' : 'full']
      const status = await new Promise((resolve, reject) => {
        const child = spawn(python, words, { cwd: root, stdio: 'inherit', signal })
        child.once('error', reject)
        child.once('close', resolve)
      })
      if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}.`)
    })
}
