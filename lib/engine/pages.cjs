/**
 * Gives pages back that loading a library touched and that nobody needs afterwards.
 *
 * TensorFlow's library has 788 MB. The dynamic linker compares its symbols' names and its static objects are initialised, once;
 * that leaves 250 MiB of its file resident, which count in every process: as its size, and against the limit of a job. A page
 * that is wanted again comes back from the system's cache of the file.
 */
'use strict'

const { readFileSync } = require('node:fs')

const MAPPINGS = '/proc/self/smaps'
/** madvise(2): MADV_DONTNEED. */
const NOT_NEEDED = 4
const HEADER = /^(?<from>[0-9a-f]+)-(?<to>[0-9a-f]+) (?<rights>[rwxps-]{4}) \S+ \S+ \d+ +(?<file>\S.*)$/
const LIBRARY = /^\/(?!dev\/).*\.so(\.\d+)*$/

/**
 * The parts of libraries in memory that are as they are in their files: they cannot be written, and no page of them has been,
 * unlike those with relocated addresses, which are made read-only behind the linker's work.
 *
 * @param {string} smaps as in proc(5)
 * @returns {{ start: number, length: number }[]} in bytes
 */
function unchangedParts(smaps) {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((mapping) => {
    const { from, to, rights, file } = HEADER.exec(mapping.slice(0, mapping.indexOf('\n')))?.groups ?? {}
    if (!file || !LIBRARY.test(file) || rights.includes('w')) return []
    if (!/^Anonymous: +0 kB$/m.test(mapping)) return []
    const start = Number.parseInt(from, 16)
    return [{ start, length: Number.parseInt(to, 16) - start }]
  })
}

/** Gives the pages of all libraries back, where the system is Linux. */
function giveBackPages() {
  if (process.platform !== 'linux') return
  const madvise = require('koffi')
    .load(null)
    .func('int madvise(uintptr_t address, size_t length, int advice)')
  // A part that the system would rather keep stays.
  for (const { start, length } of unchangedParts(readFileSync(MAPPINGS, 'utf8')))
    madvise(start, length, NOT_NEEDED)
}

module.exports = { giveBackPages, unchangedParts }
