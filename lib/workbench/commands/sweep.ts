import path from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { sweepTable } from '../../report'
import { createStudy, loadSweep, provenance, runSweep } from '../../study'
import { writeAtomically } from '../../train'
import { interruptSignal } from '../interrupt'
import { root } from '../project'
import { defaultOut, runTrials } from '../study'

/** `sweep`: trials of the user's own choice beside each other. */
export function sweepCommand(): Command {
  return new Command('sweep')
    .description('run the arms of a sweep file on every seed, and compare them with its reference')
    .argument('<file>', 'YAML; the keys are in lib/study/sweep.ts, the README shows one')
    .option('--data <folder>', 'your own data set instead of the rendered scenes')
    .option('--out <folder>', "folder of the trials; by default that of the profile's study")
    .action(async (file: string, { data, out }: { data?: string; out?: string }) => {
      const sweep = loadSweep(file)
      const study = await createStudy({
        profile: sweep.profile,
        data,
        out: path.resolve(out ?? defaultOut(sweep.profile, data)),
        cache: path.join(root, '.cache'),
        signal: interruptSignal(),
      })
      for (const trial of study.plan.preparation) await runTrials(study, [trial])
      const result = await runSweep(sweep, study, (trials) => runTrials(study, trials))
      const rows = sweepTable(result)
      const table = new Table({
        head: Object.keys(rows[0] ?? {}),
        style: { head: [], border: [] },
      })
      for (const row of rows) table.push(Object.values(row).map(String))
      console.log(sweep.question)
      console.log(table.toString())
      const target = path.join(study.settings.out, 'sweeps', `${sweep.name}.json`)
      const origin = { ...provenance(), data: study.dataset.hash }
      writeAtomically(target, `${JSON.stringify({ ...result, provenance: origin }, null, 2)}\n`)
      console.log(`Numbers: ${target}`)
    })
}
