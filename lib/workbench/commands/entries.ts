import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { writeAtomically } from '../../base'
import { root } from '../project'
import { say } from '../say'

/** `entries`: updates the list of names that other programs can import. */
export function entriesCommand(): Command {
  return new Command('entries')
    .description(
      'write lib/entries, from which programs import the library; needed after the exported names have changed',
    )
    .action(() => {
      const { entryFiles } = require('../entries') as typeof import('../entries')
      const folder = path.join(root, 'lib/entries')
      const files = entryFiles()
      mkdirSync(folder, { recursive: true })
      for (const [file, text] of files) writeAtomically(file, text)
      for (const name of readdirSync(folder)) {
        const file = path.join(folder, name)
        if (!files.has(file)) rmSync(file)
      }
      say(`Wrote ${files.size} files to ${folder}.`)
    })
}
