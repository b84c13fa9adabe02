import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FILES, findTrial, type Metrics, readMetricsFile, SHIPPED } from '../trial'
import type { Study } from './study'

const STAGES = ['teacher', 'sparse', 'prune', 'finetune'] as const

/** A stage on the way from new weights to the student, as measured on validation at its end. */
export interface Stage {
  readonly kind: (typeof STAGES)[number]
  readonly metrics: Metrics
  /** Its training's log; undefined if nothing was trained. */
  readonly log: string | undefined
  /** From sparsity training: the distribution of |gamma| at every checkpoint. */
  readonly gammas: string | undefined
}

/**
 * The stages that made teacher and student, whether this study ran them or their checkpoints are shipped; those that have
 * not run yet are left out.
 */
export function readPreparation({ plan, profile, runs }: Study): Stage[] {
  const existing = (file: string) => (existsSync(file) ? file : undefined)
  if (!plan.shipped) {
    return plan.preparation.flatMap((trial): Stage[] => {
      const found = findTrial(runs, trial)
      const kind = STAGES.find((stage) => stage === trial.kind)
      if (!found || !kind) return []
      const { folder, metrics } = found
      const [log, gammas] = [FILES.log, FILES.gammas].map((file) => existing(join(folder, file)))
      return [{ kind, metrics, log, gammas }]
    })
  }
  const names = {
    teacher: profile.checkpoints?.teacher,
    sparse: profile.checkpoints?.sparse,
    prune: profile.checkpoints?.pruned,
    finetune: profile.checkpoints?.student,
  }
  return STAGES.flatMap((kind): Stage[] => {
    const file = join(SHIPPED, `${names[kind]}.metrics.json`)
    if (!existsSync(file)) return []
    const metrics = readMetricsFile(file, 'restore it from the repository')
    const [log, gammas] = [FILES.log, FILES.gammas].map((file) =>
      existing(join(SHIPPED, `${names[kind]}.${file}`)),
    )
    return [{ kind, metrics, log, gammas }]
  })
}
