/** The benchmark's own Python environment: .cache/bench-venv, made at first use from requirements.txt. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from '../../lib/train'

const LIST = join(__dirname, 'requirements.txt')

/**
 * The Python that has everything of requirements.txt. Its stamp is written last, so that an installation that was cut
 * short is made anew.
 *
 * @param python makes the environment
 * @throws Error with the end of pip's output when something cannot be installed
 */
export async function benchPython(cache: string, python: string, signal: AbortSignal): Promise<string> {
  const prefix = join(cache, 'bench-venv')
  const own = join(prefix, 'bin/python')
  const stamp = join(prefix, 'requirements.stamp')
  const wanted = createHash('sha256').update(readFileSync(LIST)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return own
  console.error(
    `Making ${prefix} with PyTorch and pycocotools (once; about 1 GB for the CPU, more where pip chooses CUDA)`,
  )
  rmSync(prefix, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const made = spawnSync(python, ['-m', 'venv', prefix], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`${python} -m venv ${prefix} failed:\n${made.stderr || made.stdout}`)
  await install(own, signal)
  writeAtomically(stamp, wanted)
  return own
}

function install(python: string, signal: AbortSignal): Promise<void> {
  const words = [
    '-m',
    'pip',
    'install',
    '--disable-pip-version-check',
    '--no-input',
    '--progress-bar',
    'off',
    '-r',
    LIST,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn(python, words, { stdio: ['ignore', 'pipe', 'pipe'], signal })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-4000)
      })
    }
    child.once('error', reject)
    child.once('close', (status) => {
      if (status === 0) resolve()
      else
        reject(
          new Error(
            `pip could not install ${LIST}:\n${output.trimEnd()}\n` +
              'Check the network and the package index ("python3 -m pip config list"); other parts run without it:  ' +
              'npm run bench -- --parts stages',
          ),
        )
    })
  })
}
