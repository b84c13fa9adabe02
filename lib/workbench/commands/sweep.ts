import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { writeSealed } from '../../base'
import type { Study, Sweep, SweepFile, SweepTrials } from '../../study'
import { type DataOptions, readingOf, withDataOptions } from '../data-options'
import { root } from '../project'
import { say } from '../say'
import { shipRecords } from '../ship-records'
import { type Engine, withEngine } from '../snakemake/option'
import { withModelOptions, withSet, withTensorboard } from '../study-options'
import { rowsTable } from '../text-table'

/** Shipped sweeps; read here, because help does not load the room. */
const shipped = () =>
  readdirSync(path.join(root, 'lib/study/sweeps')).flatMap((file) => /(.*)\.yaml$/.exec(file)?.[1] ?? [])

interface Options extends DataOptions {
  set: readonly string[]
  data?: string
  from?: string
  seeds?: string
  out?: string
  teacher?: readonly string[]
  student?: readonly string[]
  newHeads?: boolean
  ship?: boolean
  retry?: boolean
  engine?: Engine['name']
  tensorboard?: boolean
}

/**
 * `sweep`: runs a comparison chosen by the user, on this machine or, if it outgrows it, on Snakemake:
 *
 *     npx workbook sweep recovery --engine snakemake               as many at a time as the profile says
 *     npx workbook sweep recovery --engine snakemake -- --executor slurm --jobs 20      each trial a job of Slurm
 *
 * Options after `--` go to Snakemake. The machines must see this folder, the folder of the trials and Node at the
 * same paths; `auto` precision is that of the machine running the command. Every trial is one job of one thread and 3 GB
 * (`--set-threads trial=4`, `--set-resources trial:mem_mb=8000`); it is tried three times and continues from its
 * checkpoint. On an interrupt the command stops the jobs, which write a checkpoint first; the same command continues, with or
 * without the engine. The same number of threads on the same kind of machine gives the same bits.
 *
 * A failed trial stops no other, except those that need its model. The page shows what failed and why, and the exit code is
 * then 3.
 */
export function sweepCommand(): Command {
  const command = new Command('sweep')
    .description('run the arms of a sweep with every seed, and compare them with its references')
    .argument('<sweep>', `${shipped().join(', ')}, or a YAML file; the keys are in lib/study/sweep.ts`)
  withSet(command, 'sweep', 'labels.images=100')
  return withTensorboard(withModelOptions(withDataOptions(withEngine(command))))
    .option('--data <folder>', 'your own data set instead of the rendered scenes')
    .option('--from <start>', 'as in run: student, teacher or scratch')
    .option('--seeds <list>', "replaces the sweep's seeds, e.g. 1,2,3")
    .option('--out <folder>', "folder of the trials; default: that of the profile's study")
    .option('--retry', 'repeat trainings that diverged')
    .option('--ship', 'add the result to those shipped with the workbook, in data/sweeps')
    .action(runSweep)
}

async function runSweep(nameOrFile: string, engineOptions: string[], options: Options): Promise<void> {
  const { checkSweep, loadSweep, withArmModels } = require('../../study') as typeof import('../../study')
  const { forgetFailures } = require('../../trial') as typeof import('../../trial')
  const { tellFailures } = require('../failures') as typeof import('../failures')
  const { parseEngine } = require('../snakemake') as typeof import('../snakemake')
  const { createShownStudy } = require('../study') as typeof import('../study')
  const { changeMark, defaultOut, parseSeeds, parseStart } =
    require('../study-settings') as typeof import('../study-settings')
  const { eventsFolder } = require('../workbook') as typeof import('../workbook')
  const { data, from, seeds, out, retry, set, newHeads } = options
  const engine = parseEngine(options.engine, engineOptions)
  const loaded = loadSweep(nameOrFile, set)
  const sweep = seeds === undefined ? loaded : { ...loaded, seeds: parseSeeds(seeds) }
  const models = {
    teacher: options.teacher ?? sweep.teacher,
    student: options.student ?? sweep.student,
    newHeads,
  }
  const opened = await createShownStudy({
    profile: sweep.profile,
    data,
    reading: await readingOf(options),
    from: parseStart(from),
    out: path.resolve(out ?? defaultOut(sweep.profile, data, [], models)),
    ownDataSteps: sweep.ownDataSteps,
    ...models,
  })
  const study = await withArmModels(sweep, opened)
  for (const note of study.notes.slice(opened.notes.length)) say(note)
  checkSweep(sweep, study)
  if (retry) forgetFailures(study.runs)
  const events = options.tensorboard ? eventsFolder(study.settings.out) : undefined
  const { failures, nameOf } = await trainArms(sweep, study, engine, events)
  const given = [
    ...set.map((assignment) => ` --set '${assignment}'`),
    data === undefined ? '' : ` --data <${study.dataset.name}>`,
    options.format === undefined ? '' : ` --format ${options.format}`,
    from === undefined ? '' : ` --from ${from}`,
    ...(['teacher', 'student'] as const).map((role) =>
      options[role] ? ` --${role} ${options[role].map((file) => path.basename(file)).join(' ')}` : '',
    ),
    newHeads ? ' --new-heads' : '',
    seeds === undefined ? '' : ` --seeds ${seeds}`,
  ]
  writeResult(sweep, study, {
    command: `npx workbook sweep ${path.basename(nameOrFile)}${given.join('')}`,
    mark: changeMark(set),
    ship: options.ship,
  })
  if (events !== undefined) say(`TensorBoard: tensorboard --logdir ${events}`)
  tellFailures(failures, nameOf)
}

/** Runs the trials of a sweep, on this machine or on an engine; those that failed, and what each is called. */
async function trainArms(
  sweep: Sweep,
  study: Study,
  engine: Engine | undefined,
  tensorboard: string | undefined,
) {
  const { earlyTrials, failuresAmong, sweepTrials } = require('../../study') as typeof import('../../study')
  const { runOnEngine } = require('../snakemake') as typeof import('../snakemake')
  const { attemptTrials, runTrials, trialNames } = require('../run-trials') as typeof import('../run-trials')
  const since = new Date().toISOString()
  const listed = ({ training, measuring, names }: SweepTrials) => ({
    trials: [...training, ...measuring],
    called: names,
  })
  const first = listed(earlyTrials(sweep, study))
  const planned = () => listed(sweepTrials(sweep, study))
  if (engine) await runOnEngine(study, engine, () => planned().trials, { preparation: first.trials, since })
  // A stage that fails takes the arms of its chain with it. Without chains all arms need the same models.
  const how = { called: first.called, since, tensorboard }
  const prepared = sweep.chain ? await attemptTrials(study, first.trials, how) : []
  if (!sweep.chain) await runTrials(study, first.trials, how)
  const { trials, called } = planned()
  const outcomes = await attemptTrials(study, trials, { called, since, tensorboard })
  return { failures: failuresAmong([...prepared, ...outcomes]), nameOf: trialNames(study, called) }
}

/** Prints what came out of a sweep, and writes its numbers and its page. */
function writeResult(
  sweep: Sweep,
  study: Study,
  {
    command,
    mark,
    ship = false,
  }: { readonly command: string; readonly mark: string; readonly ship?: boolean },
): void {
  const { buildReport, collectSweep, differencesTable, trainingTable, writeReport } =
    require('../../report') as typeof import('../../report')
  const { RECORDS, recordName, SWEEPS } = require('../../study') as typeof import('../../study')
  const { provenance } = require('../../trial') as typeof import('../../trial')
  const collected = collectSweep(sweep, study)
  const report = buildReport(collected)
  const { arms, failed } = report.summary
  say(sweep.question)
  say(rowsTable(trainingTable({ arms, failed }, sweep.split), { lines: true }))
  say(
    rowsTable(differencesTable({ arms, failed, references: sweep.references }, sweep.split), { lines: true }),
  )
  say(report.findings.verdict)
  const file: SweepFile = {
    format: 'sweep/2',
    sweep,
    arms: [...arms],
    ...(failed.length > 0 && { failed: [...failed] }),
    command,
    provenance: { ...provenance(), data: study.dataset.hash },
  }
  const { data, out } = study.settings
  const on = data === undefined ? '' : `-${study.dataset.name}`
  const name = `${sweep.name}${on}${mark}`
  const folder = path.join(out, 'sweeps')
  const target = path.join(ship ? SWEEPS : folder, `${name}.json`)
  writeSealed(target, file)
  if (ship) {
    mkdirSync(RECORDS, { recursive: true })
    const trained = collected.arms.flatMap(({ runs }) => runs.flatMap(({ training }) => training ?? []))
    for (const trial of trained) shipRecords(recordName(trial.metrics.hash), trial, RECORDS)
  }
  const { page } = writeReport(path.join(folder, name), report)
  say(`Numbers: ${target}`)
  say(`Report:  ${page}`)
}
