import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { deviceInfo, GRAPH_REVISION } from '../engine'

const ROOT = join(__dirname, '../..')

let loaded: string | undefined

/** The commit whose code this process runs: that of its first question, since later ones do not change what is loaded. */
function commit(): string {
  loaded ??= commitNow()
  return loaded
}

function commitNow(): string {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', ['-C', ROOT, ...words], { encoding: 'utf8' }).trim()
    return (
      git('rev-parse', 'HEAD') +
      (git('status', '--porcelain', '--untracked-files=no') ? ' with local changes' : '')
    )
  } catch {
    return 'unknown (not a git checkout)'
  }
}

/** The origin of a number, beside the config it was computed from. */
export function provenance(): { [key: string]: string | number } {
  const { device, name, instructionSets, tensorflow, threads, ...card } = deviceInfo()
  const ways = [
    ...(card.tensorFloat32 ? ['TF32'] : []),
    ...(card.xla ? ['XLA'] : []),
    ...(card.deterministic ? [] : ['not deterministic']),
  ]
  return {
    commit: commit(),
    node: process.version,
    tensorflow,
    engine: GRAPH_REVISION,
    device:
      device === 'GPU'
        ? `${name}${ways.length > 0 ? ` (${ways.join(', ')})` : ''}`
        : `${name} (${instructionSets.join(' ')})`,
    threads,
    finished: new Date().toISOString(),
  }
}
