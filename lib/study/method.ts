import type { MethodName } from '../losses'
import type { Term, TrialConfig } from '../trial'
import type { Plan } from './plan'

/**
 * A method of the plan with its trials, one a seed.
 * @throws Error when the profile does not have it
 */
export function methodOf(plan: Plan, name: MethodName): { term: Term; trials: readonly TrialConfig[] } {
  const found = plan.methods.find(({ term }) => term.method === name)
  if (found) return found
  const names = plan.methods.map(({ term }) => term.method).join(', ')
  throw new Error(`method ${name}: expected among the profile's methods, found ${names}; add it there`)
}

/** The same distillation trial with other terms: another lambda, a schedule, several methods at once. */
export function withTerms(trial: TrialConfig, ...terms: Term[]): TrialConfig {
  if (trial.kind !== 'distill')
    throw new Error(`withTerms: expected a distillation trial, found ${trial.kind}`)
  return { ...trial, terms }
}
