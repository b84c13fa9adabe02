import { spawn } from 'node:child_process'
import path from 'node:path'
import { Command } from 'commander'
import { writeAtomically } from '../../base'
import { pythonProgram, root } from '../project'

const { makeDeclarations } = require('../kernel/declarations.cjs') as { makeDeclarations(): Promise<void> }

/** Without this JupyterLab asks every user, over the notebook, whether it may fetch news. */
const SETTINGS = {
  '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
}

/** `lab`: starts JupyterLab on the project; further options are passed to Jupyter. */
export function labCommand(): Command {
  return new Command('lab')
    .description('start JupyterLab on the project')
    .argument('[options...]', "JupyterLab's own, e.g. --port=8890")
    .allowUnknownOption()
    .action(async (options: string[]) => {
      void makeDeclarations() // kernels use them as soon as they exist
      const jupyter = pythonProgram('jupyter')
      const settings = path.join(root, '.cache/lab')
      writeAtomically(path.join(settings, 'overrides.json'), JSON.stringify(SETTINGS))
      const asRoot = process.getuid?.() === 0 ? ['--allow-root'] : []
      const places = [`--ServerApp.root_dir=${root}`, `--LabApp.app_settings_dir=${settings}`]
      const args = ['lab', ...places, ...asRoot, ...options]
      const lab = spawn(jupyter, args, { cwd: root, stdio: 'inherit' })
      process.on('SIGINT', () => undefined) // JupyterLab asks whether to stop
      process.on('SIGTERM', () => lab.kill('SIGTERM'))
      process.exitCode = await new Promise<number>((resolve, reject) => {
        lab.once('error', reject)
        lab.once('exit', (code) => resolve(code ?? 1))
      })
    })
}
