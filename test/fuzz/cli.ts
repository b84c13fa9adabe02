/**
 * The command line of the fuzzing, which `npm run fuzz` starts.
 *
 * Small valid files of every kind that is read are changed by a seed, in their meaning and byte by byte, and read. A reader
 * may read a file or refuse it with an error that names it; anything else is a failure: an error of the language (RangeError,
 * TypeError), one without the file's name, an end of the process, or more than 3 s of CPU time and 20 s a MB. Failing files
 * are kept in .cache/fuzz; with the same seed the same inputs come again. Then files that are known to be hard are read, and
 * the same four times as large: the CPU time may grow with the size alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { startProgram } from '../../lib/workbench/program'
import { root } from '../../lib/workbench/project'
import { textTable } from '../../lib/workbench/text-table'
import { wholeNumber } from '../../lib/workbench/whole-number'
import { measureGrowth } from './growth'
import { fuzz } from './run'

/** A file four times as large may take so many times as long for each time as large. */
const MOST_GROWTH = 2

interface Options {
  readonly seconds: number
  readonly seed: number
  readonly growth: boolean
}

const program = new Command('npx workbook fuzz')
  .description(
    'Change files of every kind that is read, by a seed, and see that each is read or refused by name.',
  )
  .option('--seconds <n>', 'how long', wholeNumber, 60)
  .option('--seed <n>', 'of the changes', wholeNumber, 1)
  .option('--no-growth', 'leave out the files of growing size')
  .action(async ({ seconds, seed, growth }: Options) => {
    const { inputs, readers, failures } = await fuzz({ seed, seconds, folder: join(root, '.cache/fuzz') })
    const rows = [...readers].map(([name, { read, refused, failed }]) => [name, read, refused, failed])
    console.log(textTable(['reader', 'read', 'refused', 'failed'], rows, { words: 1 }))
    for (const { reader, number, reason, saved } of failures)
      console.log(`\n${reader}, input ${number}: ${reason}\n  ${saved}`)
    console.log(`${inputs} inputs of seed ${seed}, ${failures.length} failures`)
    const slow = growth ? await showGrowth() : 0
    if (failures.length > 0 || slow > 0) process.exitCode = 1
  })

/** Prints how times grow; how many grow faster than their files. */
async function showGrowth(): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), 'growth-'))
  const found = await measureGrowth(scratch)
  rmSync(scratch, { recursive: true, force: true })
  const rows = found.map(({ name, small, large, ratio }) => [
    name,
    ...[small, large].flatMap(([bytes, seconds]) => [(bytes / 1e6).toFixed(2), seconds.toFixed(2)]),
    ratio > MOST_GROWTH ? `${ratio.toFixed(1)} TOO FAST` : ratio.toFixed(1),
  ])
  console.log(textTable(['file', 'MB', 's', 'MB', 's', 'growth'], rows, { words: 1 }))
  return found.filter(({ ratio }) => ratio > MOST_GROWTH).length
}

startProgram(program)
