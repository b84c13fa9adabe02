import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { isSealed, readJson, type Schema, writeSealed } from '../../base'

const recordSchema = z.record(z.unknown())

/** `seal`: seals files written before files had seals. */
export function sealCommand(): Command {
  return new Command('seal')
    .description(
      'seal the results of an earlier version as they are: the trials, checkpoints and sweeps in a folder, or single JSON ' +
        'files; sealed files are verified, and files that are not results are left alone',
    )
    .argument('<places...>', 'folders of runs, such as runs/default, or JSON files')
    .action((places: string[]) => {
      const count = { sealed: 0, already: 0, other: 0 }
      const damaged: string[] = []
      for (const file of places.flatMap(jsonFiles)) {
        try {
          count[sealOne(file)]++
        } catch (error) {
          damaged.push(error instanceof Error ? error.message : String(error))
        }
      }
      console.log(
        `${count.sealed} files sealed, ${count.already} already sealed and undamaged, ${count.other} JSON files left alone ` +
          'because they are not results.',
      )
      if (damaged.length > 0) throw new Error(damaged.join('\n'))
    })
}

/** Seals a file if it is a result without a seal. */
function sealOne(file: string): 'sealed' | 'already' | 'other' {
  if (isSealed(file)) return 'already'
  const content = recordSchema.safeParse(readJson(file)).data
  const kind = content && kinds().find(({ schema }) => schema.safeParse(content).success)
  if (!kind) return 'other'
  writeSealed(file, { ...content, ...kind.more?.(file) })
  return 'sealed'
}

interface Kind {
  readonly schema: Schema<unknown>
  /** Keys that a file of this kind gets in addition. */
  readonly more?: (file: string) => object
}

/** What is sealed. Loaded only when the command runs, so that help stays quick. */
function kinds(): readonly Kind[] {
  const { hashesBeside, metricsSchema, taskSchema, trialSchema } =
    require('../../trial') as typeof import('../../trial')
  const { sweepFileSchema } = require('../../study') as typeof import('../../study')
  const { checkpointSchema } = require('../../train') as typeof import('../../train')
  const { structureSchema } = require('../../slimming') as typeof import('../../slimming')
  const { overviewSchema } = require('../../report') as typeof import('../../report')
  return [
    { schema: metricsSchema, more: (file) => ({ files: hashesBeside(file) }) },
    { schema: trialSchema },
    { schema: taskSchema },
    { schema: sweepFileSchema },
    { schema: checkpointSchema },
    { schema: structureSchema },
    { schema: overviewSchema },
  ]
}

function jsonFiles(place: string): string[] {
  if (statSync(place).isFile()) return [place]
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map(({ parentPath, name }) => path.join(parentPath, name))
    .sort()
}
