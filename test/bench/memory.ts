/** A process's resident memory, as Linux counts it. */
import { readFileSync, writeFileSync } from 'node:fs'

/** The high-water mark and the present value, MiB. */
export function residentMemory(): { peakMiB: number; presentMiB: number } {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { peakMiB: field('VmHWM'), presentMiB: field('VmRSS') }
}

/** Sets the high-water mark back to the present value (proc(5), clear_refs). */
export function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5')
}
