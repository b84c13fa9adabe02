/** Trials that failed, as the command line tells of them. */
import { describeFailure, type TrialConfig, type TrialFailure } from '../trial'
import { SOME_FAILED } from './exit'

/** A trial that failed, and why. */
export interface Failed {
  readonly trial: TrialConfig
  readonly failure: TrialFailure
}

/** Says at the end of everything which trials failed, and sets the exit code, where some did. */
export function tellFailures(failures: readonly Failed[], nameOf: (trial: TrialConfig) => string): void {
  if (failures.length === 0) return
  console.error(`\n${failureSummary(failures, nameOf)}`)
  process.exitCode = SOME_FAILED
}

/** What to say of trials that failed, and how to go on. */
export function failureSummary(failures: readonly Failed[], nameOf: (trial: TrialConfig) => string): string {
  // That a model which was not trained could not be measured either is no news.
  const news = failures.filter(({ trial, failure }) => trial.kind !== 'evaluate' || !('of' in failure))
  const lines = news.map(({ trial, failure }) => {
    const advice = failure.kind === 'diverged' ? `; ${failure.advice}` : ''
    return `  ${nameOf(trial)}: ${describeFailure(failure)}${advice}`
  })
  const what = news.length === 1 ? 'One trial failed' : `${news.length} trials failed`
  return (
    `${what}; everything else is finished:\n${lines.join('\n')}\n` +
    'With another setting an arm runs anew, and nothing else does. As it was, a training that diverged is repeated with --retry ' +
    'alone; anything else is tried again by the same command.'
  )
}
