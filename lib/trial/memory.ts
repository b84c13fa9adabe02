/** A process's resident memory as counted by Linux; other systems lack these files and a resettable high-water mark. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const STATUS = '/proc/self/status'

/** The high-water mark and the current value in MiB. */
export function residentMemory(): { peakMiB: number; presentMiB: number } {
  const status = readFileSync(STATUS, 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { peakMiB: field('VmHWM'), presentMiB: field('VmRSS') }
}

/** Resets the high-water mark to the current value (proc(5), clear_refs), if the system supports it. */
export function forgetPeak(): void {
  const file = '/proc/self/clear_refs'
  if (existsSync(file)) writeFileSync(file, '5')
}

/** The high-water mark in bytes. */
export function peakBytes(): number {
  return existsSync(STATUS) ? residentMemory().peakMiB * 2 ** 20 : 1024 * process.resourceUsage().maxRSS
}
