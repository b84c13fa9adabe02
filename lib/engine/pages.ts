/**
 * Gives pages back that TensorFlow's library touched and that nobody needs afterwards.
 *
 * The library has 788 MB. The dynamic linker compares its symbols' names and its static objects are initialised, once; that leaves
 * 250 MiB of its file resident, and the optimiser that a graph goes through before its first run another 70 MiB. They count in
 * every process: as its size, and against the limit of a job. A page that is wanted again comes back from the system's cache of
 * the file.
 */
import { readFileSync } from 'node:fs'
import { load } from 'koffi'

/** In bytes. */
export interface Part {
  readonly start: number
  readonly length: number
}

const MAPPINGS = '/proc/self/smaps'
/** madvise(2): MADV_DONTNEED. */
const NOT_NEEDED = 4
const HEADER = /^(?<from>[0-9a-f]+)-(?<to>[0-9a-f]+) (?<rights>[rwxps-]{4}) \S+ \S+ \d+ +(?<file>\S.*)$/
const LIBRARY = /^\/(?!dev\/).*\.so(\.\d+)*$/

/**
 * The parts of libraries in memory that are as they are in their files: they cannot be written, and no page of them has been,
 * unlike those with relocated addresses, which are made read-only behind the linker's work.
 *
 * @param smaps as in proc(5)
 */
export function unchangedParts(smaps: string): Part[] {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((mapping) => {
    const header = HEADER.exec(mapping.slice(0, mapping.indexOf('\n')))
    const { from = '', to = '', rights = '', file = '' } = header?.groups ?? {}
    if (!LIBRARY.test(file) || rights.includes('w')) return []
    if (!/^Anonymous: +0 kB$/m.test(mapping)) return []
    const start = Number.parseInt(from, 16)
    return [{ start, length: Number.parseInt(to, 16) - start }]
  })
}

let madvise: ((address: number, length: number, advice: number) => unknown) | undefined

/** Gives the pages of all libraries back, where the system is Linux; takes 30 ms. */
export function giveBackPages(): void {
  if (process.platform !== 'linux') return
  madvise ??= load(null).func('int madvise(uintptr_t address, size_t length, int advice)')
  // A part that the system would rather keep stays.
  for (const { start, length } of unchangedParts(readFileSync(MAPPINGS, 'utf8')))
    madvise(start, length, NOT_NEEDED)
}
