import { copyFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import type { TrialConfig, TrialResult } from '../../trial'
import { say } from '../say'
import { shipRecords } from '../ship-records'

interface Options {
  profile: string
  out?: string
  into?: string
  from: string
  sweep?: string
  arm: string
  seeds: string
}

/** `ship`: copies the models of a study run "--from scratch" or "--from teacher", or of a sweep's chains, to data/checkpoints. */
export function shipCommand(): Command {
  return new Command('ship')
    .description(
      'copy the models that "run --from scratch" or "--from teacher" made to data/checkpoints, with recipe and logs; with --sweep ' +
        "the teachers of a sweep's chains, and an arm as their students",
    )
    .option('--profile <name>', 'the profile', 'default')
    .option('--out <folder>', 'folder of the study or the sweep')
    .option('--into <folder>', "where to copy them, by default the project's data/checkpoints")
    .option('--from <start>', 'what that study started from: scratch or teacher', 'scratch')
    .option('--sweep <name>', 'a sweep whose seeds have chains of their own')
    .option('--arm <name>', 'with --sweep: the arm to ship as student', 'control')
    .option('--seeds <list>', 'with --sweep: the seeds to ship', '1,2,3')
    .action(ship)
}

async function ship(options: Options): Promise<void> {
  const { FILES, SHIPPED } = require('../../trial') as typeof import('../../trial')
  const into = path.resolve(options.into ?? SHIPPED)
  mkdirSync(into, { recursive: true })
  if (options.sweep !== undefined) return shipChains(options.sweep, into, options)
  const { createShownStudy } = require('../study') as typeof import('../study')
  const { defaultOut, parseStart } = require('../study-settings') as typeof import('../study-settings')
  const { profile, out, from } = options
  const folder = path.resolve(out ?? defaultOut(profile))
  const study = await createShownStudy({ profile, out: folder, from: parseStart(from) })
  const names = study.profile.checkpoints
  if (!names)
    throw new Error(`profile ${profile}: expected "checkpoints" with the names to ship under, found none`)
  for (const trial of study.plan.preparation) {
    const result = resultOf(trial, study.runs, `npx workbook run --from ${from}`)
    const shipped = { teacher: names.teacher, prune: names.pruned, finetune: names.student }
    const model = Object.entries(shipped).find(([kind]) => kind === trial.kind)?.[1]
    const name = model ?? names.sparse
    shipRecords(name, result, into)
    tellAccuracy(name, result)
    // Unlike the others the sparse network has no checkpoint that says how it was made.
    if (model) shipModel(model, trial, study.runs, into)
    else copyFileSync(path.join(result.folder, FILES.config), path.join(into, `${name}.${FILES.config}`))
  }
}

/** Ships <sweep>-teacher-<seed> and <sweep>-student-<seed>. */
async function shipChains(name: string, into: string, { out, arm, seeds }: Options): Promise<void> {
  const { loadSweep, planArms, sweepPreparation } = require('../../study') as typeof import('../../study')
  const { createShownStudy } = require('../study') as typeof import('../study')
  const { defaultOut, parseSeeds } = require('../study-settings') as typeof import('../study-settings')
  const sweep = loadSweep(name)
  if (!sweep.chain) throw new Error(`sweep ${name}: expected chains with teachers of their own, found none`)
  const study = await createShownStudy({
    profile: sweep.profile,
    out: path.resolve(out ?? defaultOut(sweep.profile)),
  })
  for (const seed of parseSeeds(seeds)) {
    const chain = { ...sweep, seeds: [seed] }
    const teacher = sweepPreparation(chain, study).find(({ kind }) => kind === 'teacher')
    const student = planArms({ ...chain, arms: sweep.arms.filter(({ name: own }) => own === arm) }, study)[0]
    if (!teacher || !student)
      throw new Error(
        `sweep ${name}: expected an arm ${arm}, found ${sweep.arms.map((own) => own.name).join(', ')}`,
      )
    for (const [role, trial] of [['teacher', teacher] as const, ['student', student.trials[0]!] as const]) {
      const shipped = `${sweep.name}-${role}-${seed}`
      const result = resultOf(trial, study.runs, `npx workbook sweep ${name}`)
      shipRecords(shipped, result, into)
      tellAccuracy(shipped, result)
      shipModel(shipped, trial, study.runs, into)
    }
  }
}

function resultOf(trial: TrialConfig, runs: string, command: string): TrialResult {
  const { findTrial } = require('../../trial') as typeof import('../../trial')
  const found = findTrial(runs, trial)
  if (found) return found
  throw new Error(`${runs}: expected the finished ${trial.kind}; run "${command}" first`)
}

function tellAccuracy(name: string, { metrics }: TrialResult): void {
  const { voc, coco } = metrics.evaluation
  say(`${name}: validation mAP@0.5 ${voc.mAP?.toFixed(4)}, AP@[.5:.95] ${coco.AP?.toFixed(4)}`)
}

function shipModel(name: string, trial: TrialConfig, runs: string, into: string): void {
  const { saveCheckpoint } = require('../../train') as typeof import('../../train')
  const { loadModel, refTo } = require('../../trial') as typeof import('../../trial')
  const { sha256 } = saveCheckpoint(path.join(into, `${name}.json`), loadModel(refTo(trial), runs))
  say(`  weights SHA-256 ${sha256}`)
}
