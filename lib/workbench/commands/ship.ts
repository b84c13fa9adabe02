import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { createStudy, FILES, findTrial, loadModel, refTo, SHIPPED } from '../../study'
import { saveCheckpoint } from '../../train'
import { interruptSignal } from '../interrupt'
import { root } from '../project'
import { defaultOut } from '../study'

/** `ship`: puts the teacher and the student of a from-scratch study under data/checkpoints, with metrics and logs. */
export function shipCommand(): Command {
  return new Command('ship')
    .description(
      'copy the teacher and the student of "workbook --from-scratch" to data/checkpoints, with recipe and logs',
    )
    .option('--profile <name>', 'the profile', 'default')
    .option('--out <folder>', 'folder of the study')
    .action(async ({ profile, out }: { profile: string; out?: string }) => {
      const folder = path.resolve(out ?? defaultOut(profile))
      const cache = path.join(root, '.cache')
      const study = await createStudy({
        profile,
        out: folder,
        cache,
        fromScratch: true,
        signal: interruptSignal(),
      })
      const names = study.profile.checkpoints
      if (!names)
        throw new Error(`profile ${profile}: expected "checkpoints" with the names to ship under, found none`)
      mkdirSync(SHIPPED, { recursive: true })
      for (const trial of study.plan.preparation) {
        const result = findTrial(study.runs, trial)
        if (!result)
          throw new Error(
            `${study.runs}: expected the finished ${trial.kind}; run "workbook --from-scratch" first`,
          )
        const name =
          trial.kind === 'teacher'
            ? names.teacher
            : trial.kind === 'finetune'
              ? names.student
              : `${profile}-${trial.kind}`
        copyFileSync(path.join(result.folder, FILES.metrics), path.join(SHIPPED, `${name}.metrics.json`))
        for (const record of [FILES.log, FILES.gammas]) {
          const file = path.join(result.folder, record)
          if (existsSync(file)) copyFileSync(file, path.join(SHIPPED, `${name}.${record}`))
        }
        const { voc, coco } = result.metrics.evaluation
        console.log(`${name}: validation mAP@0.5 ${voc.mAP?.toFixed(4)}, AP@[.5:.95] ${coco.AP?.toFixed(4)}`)
        if (trial.kind !== 'teacher' && trial.kind !== 'finetune') continue
        const { sha256 } = saveCheckpoint(
          path.join(SHIPPED, `${name}.json`),
          loadModel(refTo(trial), study.runs),
        )
        console.log(`  weights SHA-256 ${sha256}`)
      }
    })
}
