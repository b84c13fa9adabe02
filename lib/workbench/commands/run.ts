import { existsSync } from 'node:fs'
import path from 'node:path'
import { Command, Option } from 'commander'
import { interruptSignal } from '../../base'
import { type DataOptions, readingOf, withDataOptions } from '../data-options'
import { type Engine, withEngine } from '../snakemake/option'

type CommandOptions = DataOptions & {
  profile: string
  data?: string
  seeds?: string
  full?: boolean
  out?: string
  from?: string
  engine?: Engine['name']
}

/**
 * `run`: the whole study as notebooks, up to the report. With --engine, as in the command `sweep`, the trials run on
 * the engine first, and the notebooks find them.
 */
export function runCommand(): Command {
  const command = new Command('run').description('run the whole study in its notebooks and write the report')
  return withDataOptions(withEngine(command))
    .option('--profile <name>', 'smoke, default, paper, or a .yaml file', 'default')
    .option(
      '--data <folder>',
      'your own data set, in any notation that `dataset check` reads, instead of the rendered scenes',
    )
    .option('--out <folder>', 'folder for all output; whatever is finished there is not repeated')
    .option('--seeds <list>', 'random seeds, e.g. 1,2,3')
    .option(
      '--from <start>',
      'take the shipped teacher and student ("student", the default), slim the shipped teacher again ("teacher"), or train everything ("scratch")',
    )
    .addOption(new Option('--from-scratch', 'short for --from scratch').implies({ from: 'scratch' }))
    .option('--full', 'the long version of the profile: more seeds, finer ablations')
    .action(async (engineOptions: string[], { from: start, engine: name, ...given }: CommandOptions) => {
      const started = new Date()
      const { loadProfile, notebookTrials } = require('../../study') as typeof import('../../study')
      const { formatSeconds } = require('../progress') as typeof import('../progress')
      const { parseEngine, runOnEngine } = require('../snakemake') as typeof import('../snakemake')
      const { defaultOut, parseSeeds, parseStart } = require('../study') as typeof import('../study')
      const { openWorkbook, resultTable, runWorkbook } =
        require('../workbook') as typeof import('../workbook')
      const engine = parseEngine(name, engineOptions)
      const { profile, data, seeds, full } = given
      // Find mistakes in the options before anything runs.
      loadProfile(profile)
      if (seeds !== undefined) parseSeeds(seeds)
      if (data !== undefined && !existsSync(data)) {
        throw new Error(`--data ${data}: expected a folder with a data set, found nothing`)
      }
      const reading = await readingOf(given)
      const out = path.resolve(given.out ?? defaultOut(profile, data))
      const options = { profile, data, reading, seeds, full, out, from: parseStart(start) }
      if (engine) {
        const study = await openWorkbook(options)
        await runOnEngine(study, engine, () => notebookTrials(study))
      }
      await runWorkbook(options, interruptSignal(), started)
      console.log(resultTable(out))
      console.log(`Notebooks: ${path.join(out, 'notebooks')}`)
      console.log(`Report:    ${path.join(out, 'report', 'index.html')}`)
      console.log(`Finished in ${formatSeconds((Date.now() - started.getTime()) / 1000)}.`)
    })
}
