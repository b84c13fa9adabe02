import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { say } from '../say'

/** `ship`: copies the models of a study run "--from scratch" or "--from teacher" to data/checkpoints. */
export function shipCommand(): Command {
  return new Command('ship')
    .description(
      'copy the models that "run --from scratch" or "--from teacher" made to data/checkpoints, with recipe and logs',
    )
    .option('--profile <name>', 'the profile', 'default')
    .option('--out <folder>', 'folder of the study')
    .option('--from <start>', 'what that study started from: scratch or teacher', 'scratch')
    .action(async ({ profile, out, from }: { profile: string; out?: string; from: string }) => {
      const { saveCheckpoint } = require('../../train') as typeof import('../../train')
      const { FILES, findTrial, loadModel, refTo, SHIPPED } =
        require('../../trial') as typeof import('../../trial')
      const { createShownStudy } = require('../study') as typeof import('../study')
      const { defaultOut, parseStart } = require('../study-settings') as typeof import('../study-settings')
      const folder = path.resolve(out ?? defaultOut(profile))
      const study = await createShownStudy({ profile, out: folder, from: parseStart(from) })
      const names = study.profile.checkpoints
      if (!names)
        throw new Error(`profile ${profile}: expected "checkpoints" with the names to ship under, found none`)
      mkdirSync(SHIPPED, { recursive: true })
      for (const trial of study.plan.preparation) {
        const result = findTrial(study.runs, trial)
        if (!result)
          throw new Error(
            `${study.runs}: expected the finished ${trial.kind}; run "npx workbook run --from ${from}" first`,
          )
        const shipped = { teacher: names.teacher, prune: names.pruned, finetune: names.student }
        const model = Object.entries(shipped).find(([kind]) => kind === trial.kind)?.[1]
        const name = model ?? names.sparse
        copyFileSync(path.join(result.folder, FILES.metrics), path.join(SHIPPED, `${name}.metrics.json`))
        for (const record of [FILES.log, FILES.validation, FILES.gammas]) {
          const file = path.join(result.folder, record)
          if (existsSync(file)) copyFileSync(file, path.join(SHIPPED, `${name}.${record}`))
        }
        const { voc, coco } = result.metrics.evaluation
        say(`${name}: validation mAP@0.5 ${voc.mAP?.toFixed(4)}, AP@[.5:.95] ${coco.AP?.toFixed(4)}`)
        if (!model) {
          // Unlike the others it has no checkpoint that says how it was made.
          copyFileSync(path.join(result.folder, FILES.config), path.join(SHIPPED, `${name}.${FILES.config}`))
          continue
        }
        const { sha256 } = saveCheckpoint(
          path.join(SHIPPED, `${name}.json`),
          loadModel(refTo(trial), study.runs),
        )
        say(`  weights SHA-256 ${sha256}`)
      }
    })
}
