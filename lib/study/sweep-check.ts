/** Checks of sweeps against their networks, before anything runs. */
import { connect } from '../losses'
import { checkPlannable } from '../quantise'
import { type Origin, originOf, teacherOrigin } from './arm'
import type { Planned } from './plan'
import { SHORT_SWEEPS, shortSweep } from './short-sweeps'
import type { Study } from './study'
import type { Sweep } from './sweep'
import { givenOf } from './sweep-arms'

/**
 * Checks that every method of a sweep can compare its student with its teacher, and that what is to be quantised can be.
 * Pruning changes widths alone, so a slimmed network is checked as the one that it was made from.
 *
 * @throws Error naming every arm whose method cannot, and why
 */
export function checkSweep(
  { name, arms }: Pick<Sweep, 'name' | 'arms'>,
  study: Pick<Planned, 'plan' | 'givenArms'>,
): void {
  const { networks } = study.plan
  const networkOf = (origin: Origin) => {
    if (typeof origin !== 'string') return givenOf(origin, study).network
    return origin === 'teacher' ? networks.teacher : networks.student
  }
  const problems = arms.flatMap((arm) => {
    const own = () => networkOf(originOf(arm, arms))
    const checks = [
      ...(arm.quantise ? [() => checkPlannable(own())] : []),
      ...arm.terms.map((term) => () => connect(term, own(), networkOf(teacherOrigin(arm, arms)))),
    ]
    return checks.flatMap((check): string[] => {
      try {
        check()
        return []
      } catch (error) {
        if (!(error instanceof Error)) throw error
        return [`arm ${arm.name}: ${error.message}`]
      }
    })
  })
  if (problems.length === 0) return
  throw new Error(
    `${name}: expected methods by which student and teacher can be compared, found ${problems.length} that cannot:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
  )
}

/** The same for everything that a study's notebooks train: its own comparison and the short sweeps. */
export function checkStudy(study: Pick<Study, 'plan' | 'sweep' | 'profile' | 'dataset'>): void {
  for (const sweep of [study.sweep, ...SHORT_SWEEPS.map((name) => shortSweep(name, study))])
    checkSweep(sweep, study)
}
