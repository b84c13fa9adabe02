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
  /** Its evaluations along the way; undefined if there were none. */
  readonly validation: string | undefined
  /** From sparsity training: the distribution of |gamma| at every checkpoint. */
  readonly gammas: string | undefined
}

/**
 * The stages that made teacher and student, whether this study ran them or their checkpoints are shipped; those that have
 * not run yet are left out.
 */
export function readPreparation({ plan, profile, runs }: Study): Stage[] {
  if (!plan.shipped) {
    return plan.preparation.flatMap((trial): Stage[] => {
      const found = findTrial(runs, trial)
      const kind = STAGES.find((stage) => stage === trial.kind)
      if (!found || !kind) return []
      const { folder, metrics } = found
      return [{ kind, metrics, ...recordsOf((file) => join(folder, file)) }]
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
    return [{ kind, metrics, ...recordsOf((name) => join(SHIPPED, `${names[kind]}.${name}`)) }]
  })
}

/** The records of a training that exist. */
function recordsOf(fileOf: (name: string) => string): Pick<Stage, 'log' | 'validation' | 'gammas'> {
  const existing = (name: string) => (existsSync(fileOf(name)) ? fileOf(name) : undefined)
  return {
    log: existing(FILES.log),
    validation: existing(FILES.validation),
    gammas: existing(FILES.gammas),
  }
}
