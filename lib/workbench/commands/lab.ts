import { spawn } from 'node:child_process'
import { Command } from 'commander'
import { pythonProgram, root } from '../project'

const { makeDeclarations } = require('../kernel/declarations.cjs') as { makeDeclarations(): Promise<void> }

/** `lab`: starts JupyterLab on the project; further options are Jupyter's. */
export function labCommand(): Command {
  return new Command('lab')
    .description('start JupyterLab on the project')
    .argument('[options...]', "JupyterLab's own, e.g. --port=8890")
    .allowUnknownOption()
    .action(async (options: string[]) => {
      void makeDeclarations() // kernels take them from when they are there
      const asRoot = process.getuid?.() === 0 ? ['--allow-root'] : []
      const args = ['lab', `--ServerApp.root_dir=${root}`, ...asRoot, ...options]
      const lab = spawn(pythonProgram('jupyter'), args, { cwd: root, stdio: 'inherit' })
      process.on('SIGINT', () => undefined) // JupyterLab asks whether it shall stop
      process.on('SIGTERM', () => lab.kill('SIGTERM'))
      process.exitCode = await new Promise<number>((resolve, reject) => {
        lab.once('error', reject)
        lab.once('exit', (code) => resolve(code ?? 1))
      })
    })
}
