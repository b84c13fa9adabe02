/** `npx workbook repro`: runs the notebooks in a clean folder and compares every metric with the committed reference. */
import { existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { interruptSignal, temporaryFolder, writeAtomically } from '../../lib/base'
import { startProgram } from '../../lib/workbench/program'

/** Differences that another instruction set's rounding may reach in a profile's short trainings; see the README. */
const TOLERANCES = { mAP: 0.05, loss: 0.05 }

interface Options {
  readonly profile: string
  readonly out?: string
  readonly compare?: string
  readonly update?: boolean
}

const program = new Command('npx workbook repro')
  .description(
    'execute the notebooks in a clean folder and compare their metrics with the committed reference',
  )
  .option('--profile <name>', 'the profile to rerun', 'smoke')
  .option('--out <folder>', 'keep the run here instead of in a temporary folder; must not exist')
  .option('--compare <folder>', 'compare the run in this folder instead of executing the notebooks')
  .option('--update', 'write the reference from this run instead of comparing')
  .action(async ({ profile, out, compare, update }: Options) => {
    const { shortTrials } = require('../../lib/study') as typeof import('../../lib/study')
    const { createShownStudy } =
      require('../../lib/workbench/study') as typeof import('../../lib/workbench/study')
    const { runWorkbook } =
      require('../../lib/workbench/workbook') as typeof import('../../lib/workbench/workbook')
    const { compareWithReference, readReference, referenceOf } =
      require('./reference') as typeof import('./reference')
    if (compare !== undefined && !existsSync(compare))
      throw new Error(`--compare ${compare}: expected the folder of a run, found nothing`)
    const kept = compare ?? out
    const folder = kept === undefined ? temporaryFolder('repro') : path.resolve(kept)
    const file = path.join(__dirname, `${profile}.json`)
    const reference = update ? undefined : readReference(file)
    try {
      if (compare === undefined) await runWorkbook({ profile, out: folder }, interruptSignal())
      const study = await createShownStudy({ profile, out: folder })
      const found = referenceOf(study, reference?.tolerances ?? TOLERANCES, shortTrials(study))
      if (!reference) {
        writeAtomically(file, `${JSON.stringify(found, null, 2)}\n`)
        console.log(`Wrote ${file}.`)
        return
      }
      const { exact, deviations } = compareWithReference(reference, found)
      const { device, tensorflow, precision } = reference.madeOn
      const how = exact
        ? 'to the last bit: this is the kind of machine that made them'
        : `within tolerances: they were made on ${device}, TensorFlow ${tensorflow}, ${precision}`
      const count = Object.values(reference.trials).reduce(
        (sum, numbers) => sum + Object.keys(numbers).length,
        0,
      )
      console.log(`Compared ${count} numbers of ${Object.keys(reference.trials).length} trials ${how}.`)
      if (deviations.length === 0) {
        console.log('Everything was reproduced.')
        return
      }
      const table = new Table({ head: ['trial', 'metric', 'expected', 'found', 'difference', 'allowed'] })
      for (const { trial, metric, expected, found: value, allowed } of deviations) {
        const difference = value === undefined ? 'missing' : (value - expected).toExponential(2)
        table.push([trial, metric, expected, value ?? 'none', difference, allowed.toExponential(2)])
      }
      console.log(table.toString())
      throw new Error(`${deviations.length} of ${count} numbers were not reproduced`)
    } finally {
      if (kept === undefined) rmSync(folder, { recursive: true, force: true })
    }
  })

startProgram(program)
