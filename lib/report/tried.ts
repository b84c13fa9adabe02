import { CONTROL_NAMES, type Study } from '../study'
import { findTrial, type TrialConfig, type TrialResult } from '../trial'
import { collectStudy } from './collect'
import { summariseStudy, termsOf } from './summary'
import type { AblationSummary } from './summary-types'

/**
 * Trials of a reader's own as points of an ablation, beside the method's own setting, each against the control of the same
 * seed.
 *
 * @param own the method's trial that they were made from, with another weight or another threshold
 * @throws Error where a trial was not run or does not distil
 */
export function summariseTried(
  study: Study,
  own: TrialConfig,
  tried: readonly TrialResult[],
  varied: 'lambda' | 'threshold' = 'lambda',
): readonly AblationSummary[] {
  const reference = termOf(findTrial(study.runs, own))
  const { method } = reference
  const points = tried.map((trial) => {
    const { lambda, threshold } = termOf(trial)
    return { method, value: varied === 'lambda' ? lambda / reference.lambda : (threshold ?? 0), trial }
  })
  const { arms, ...input } = collectStudy(study, { test: false })
  const compared = arms.filter(({ name }) => name === CONTROL_NAMES.steps || name === method)
  const ablations = { lambda: [], threshold: [], [varied]: points }
  return summariseStudy({ ...input, arms: compared, ablations })[varied]
}

function termOf(trial: TrialResult | undefined) {
  const [term] = trial ? termsOf(trial) : []
  if (!term) throw new Error('summariseTried: expected a distillation trial that was run, found none')
  return term
}
