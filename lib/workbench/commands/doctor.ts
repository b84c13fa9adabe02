import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { packageVersion, pythonProgram, root } from '../project'
import { say } from '../say'

const PACKAGES = [
  '@tensorflow/tfjs-node-gpu',
  'danfojs-node',
  'plotly.js-dist-min',
  'tslab',
  'tsx',
  'typescript',
]
/** float32 over a sum of 45 products; TensorFloat-32 on a GPU keeps 10 bits. */
const TOLERANCE = { CPU: 1e-5, GPU: 2e-3 }

/** `doctor`: shows what everything runs on and checks that it works. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show what everything runs on, and check that it works')
    .action(() => {
      const failures = [...reportEngine(), ...reportPackages(), ...reportKernel()]
      if (failures.length > 0)
        throw new Error(`Not in order:\n${failures.map((text) => `- ${text}`).join('\n')}`)
      say('\nEverything is in order.')
    })
}

function line(name: string, value: string): void {
  say(`${name.padEnd(28)}${value}`)
}

function reportEngine(): string[] {
  const { deviceInfo } = require('../../engine') as typeof import('../../engine')
  const { checkConvolution } = require('../convolution-check') as typeof import('../convolution-check')
  const { tensorflow, device, name, instructionSets, threads, ...card } = deviceInfo()
  const { gflops, error } = checkConvolution()
  line('TensorFlow', tensorflow)
  line('device', device === 'GPU' ? `CUDA: ${name}` : `CPU: ${name}`)
  if (device === 'CPU') line('instruction sets', instructionSets.join(' '))
  else {
    line('TF32', card.tensorFloat32 ? 'on; NVIDIA_TF32_OVERRIDE=0 turns it off' : 'off')
    line('deterministic', card.deterministic ? 'on; --no-deterministic turns it off' : 'off')
    line('XLA', card.xla ? 'on; --no-xla turns it off' : 'off')
  }
  line('threads', String(threads))
  line('3x3 convolution', `${gflops.toFixed(0)} GFLOP/s in float32`)
  line('against plain loops', `largest relative difference ${error.toExponential(1)}`)
  if (error <= TOLERANCE[device]) return []
  return [
    `a convolution differs from plain loops by ${error.toExponential(1)}, expected at most ${TOLERANCE[device]}: ` +
      'try TF_ENABLE_ONEDNN_OPTS=0, or "npx workbook setup --cpu" on a GPU',
  ]
}

function reportPackages(): string[] {
  line('Node', `${process.version} (${process.execPath})`)
  for (const name of PACKAGES) line(name, packageVersion(name))
  const script =
    'import sys, importlib.metadata as m\nprint(sys.version.split()[0], *map(m.version, sys.argv[1:]))'
  const names = ['jupyterlab', 'nbconvert', 'nbclient', 'plotly']
  const python = pythonProgram('python')
  const { status, stdout, stderr } = spawnSync(python, ['-c', script, ...names], { encoding: 'utf8' })
  if (status !== 0) {
    return [
      `${python} lacks a package: ${stderr.trim().split('\n').at(-1)}; delete .venv and run "npx workbook setup"`,
    ]
  }
  const [version, ...versions] = stdout.trim().split(' ')
  line('Python', `${version} (${python})`)
  for (const [i, name] of names.entries()) line(name, versions[i] ?? '')
  return []
}

function reportKernel(): string[] {
  const file = path.resolve(
    path.dirname(pythonProgram('python')),
    '../share/jupyter/kernels/tslab/kernel.json',
  )
  const { argv } = JSON.parse(readFileSync(file, 'utf8')) as { argv?: unknown }
  const launcher = path.join(root, 'lib/workbench/kernel/main.cjs')
  line('kernel', file)
  if (Array.isArray(argv) && argv[1] === launcher) return []
  return [`${file} does not start ${launcher}: delete the file and run "npx workbook setup"`]
}
