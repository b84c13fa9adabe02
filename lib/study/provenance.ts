import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { nativeBackend } from '../engine'

const ROOT = join(__dirname, '../..')

function commit(): string {
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

function processor(): string {
  const wanted = ['amx_bf16', 'avx512_bf16', 'avx512f', 'avx2']
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? []
    return `${cpus()[0]?.model ?? 'unknown processor'} (${wanted.filter((flag) => flags.includes(flag)).join(', ')})`
  } catch {
    return cpus()[0]?.model ?? 'unknown processor'
  }
}

/** Everything that a number's origin should say, beside the config that it was computed from. */
export function provenance(): { [key: string]: string | number } {
  const { binding } = nativeBackend()
  return {
    commit: commit(),
    node: process.version,
    tensorflow: binding.TF_Version,
    device: binding.isUsingGpuDevice() ? 'CUDA GPU' : processor(),
    threads: Number(process.env.OMP_NUM_THREADS ?? availableParallelism()),
    finished: new Date().toISOString(),
  }
}
