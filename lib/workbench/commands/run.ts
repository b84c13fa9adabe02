import path from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../base'
import { root } from '../project'
import { say } from '../say'
import { type Engine, withEngine } from '../snakemake/option'
import { type StudyOptions, withStudyOptions, workbookOptions } from '../study-options'

/**
 * `run`: the whole study as notebooks, up to the report. With --engine, as in the command `sweep`, the trials run on
 * the engine first, and the notebooks find them.
 */
export function runCommand(): Command {
  const command = new Command('run').description('run the whole study in its notebooks and write the report')
  return withStudyOptions(withEngine(command))
    .option('--retry', 'repeat trainings that diverged')
    .action(
      async (
        engineOptions: string[],
        { engine: name, retry, ...given }: StudyOptions & { engine?: Engine['name']; retry?: boolean },
      ) => {
        const started = new Date()
        const { notebookTrials } = require('../../study') as typeof import('../../study')
        const { tellFailures } = require('../failures') as typeof import('../failures')
        const { formatSeconds } = require('../progress') as typeof import('../progress')
        const { parseEngine, runOnEngine } = require('../snakemake') as typeof import('../snakemake')
        const { eventsFolder, openWorkbook, resultTable, runWorkbook } =
          require('../workbook') as typeof import('../workbook')
        const { changedFiles } = require('../working-copies') as typeof import('../working-copies')
        const engine = parseEngine(name, engineOptions)
        const options = await workbookOptions(given)
        const { out } = options
        for (const file of changedFiles(path.join(root, 'notebooks')))
          console.log(`notebooks/${file} is not as it was committed; it runs as it is now.`)
        if (engine) {
          const study = await openWorkbook({ ...options, retry })
          const since = started.toISOString()
          await runOnEngine(study, engine, () => notebookTrials(study), { since })
        }
        // What failed on the engine belongs to this run.
        const once = { ...options, retry: retry && !engine }
        const { failures, nameOf } = await runWorkbook(once, interruptSignal(), started)
        say(resultTable(out))
        say(`Notebooks: ${path.join(out, 'notebooks')}`)
        say(`Report:    ${path.join(out, 'report', 'index.html')}`)
        if (options.tensorboard) say(`TensorBoard: tensorboard --logdir ${eventsFolder(out)}`)
        say(`Finished in ${formatSeconds((Date.now() - started.getTime()) / 1000)}.`)
        tellFailures(failures, nameOf)
      },
    )
}
