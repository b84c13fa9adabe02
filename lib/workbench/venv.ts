import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { lockFolder, sha256, writeAtomically } from '../base'

export interface VenvOptions {
  /** Folder of the environment. */
  readonly prefix: string
  /** File with pip's requirements, in exact versions. */
  readonly list: string
  /** Python that creates the environment. */
  readonly python: string
  /** Its purpose and size, for the user. */
  readonly title: string
  /** The alternative if it cannot be installed. */
  readonly otherwise: string
  readonly signal: AbortSignal
}

/**
 * A Python environment of its own for something only some users need, made at first use. Its stamp is written last, so
 * an incomplete installation, or one of other versions, is made anew.
 *
 * @returns the environment's folder of programs
 * @throws Error with the end of pip's output when something cannot be installed
 */
export async function ensureVenv({
  prefix,
  list,
  python,
  title,
  otherwise,
  signal,
}: VenvOptions): Promise<string> {
  const programs = join(prefix, 'bin')
  const stamp = join(prefix, 'requirements.stamp')
  const wanted = sha256(readFileSync(list))
  const isMade = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
  if (isMade()) return programs
  const release = await lockFolder(prefix, { signal })
  try {
    if (isMade()) return programs
    console.error(`Making ${prefix} with ${title} (once)`)
    for (const name of readdirSync(prefix)) {
      if (name !== 'lock') rmSync(join(prefix, name), { recursive: true })
    }
    const made = spawnSync(python, ['-m', 'venv', prefix], { encoding: 'utf8' })
    if (made.status !== 0)
      throw new Error(`${python} -m venv ${prefix} failed:\n${made.stderr || made.stdout}`)
    await install(join(programs, 'python'), { list, otherwise, signal })
    writeAtomically(stamp, wanted)
  } finally {
    release()
  }
  return programs
}

function install(
  python: string,
  { list, otherwise, signal }: Pick<VenvOptions, 'list' | 'otherwise' | 'signal'>,
): Promise<void> {
  const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off']
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-m', 'pip', 'install', ...quiet, '-r', list], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    })
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
            `pip could not install ${list}:\n${output.trimEnd()}\n` +
              `Check the network and the package index ("python3 -m pip config list"); ${otherwise}`,
          ),
        )
    })
  })
}
