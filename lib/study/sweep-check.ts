/** Checks of sweeps against their networks, before anything runs. */
import { headsOf } from '../detector'
import { connect } from '../losses'
import { checkPlannable } from '../quantise'
import { checkAlike, checkPrunable } from '../trial'
import { type Origin, originOf, teacherOrigins } from './arm'
import type { Planned } from './plan'
import { shortSweeps } from './short-sweeps'
import type { Study } from './study'
import type { Sweep } from './sweep'
import { givenOf } from './sweep-arms'

/**
 * Checks that every method of a sweep can compare its student with its teacher, and that what is to be quantised or pruned can be.
 * Pruning changes widths alone, so a slimmed network is checked as the one that it was made from.
 *
 * @throws Error naming every arm whose method cannot, and why
 */
export function checkSweep(
  { name, arms, chain }: Pick<Sweep, 'name' | 'arms' | 'chain'>,
  study: Pick<Planned, 'plan' | 'profile' | 'given' | 'givenArms'>,
): void {
  const { networks, preparation } = study.plan
  const networkOf = (origin: Origin) => {
    if (typeof origin !== 'string') return givenOf(origin, study).network
    return origin === 'teacher' ? networks.teacher : networks.student
  }
  const slims = chain ? !study.given?.student : preparation.some(({ kind }) => kind === 'prune')
  const stages = slims
    ? [() => checkPrunable(networks.teacher, chain?.prune ?? study.profile.stages.prune)]
    : []
  const problems = [
    ...problemsOf('slimming', stages),
    ...arms.flatMap((arm) => {
      const { prune } = arm
      const origin = originOf(arm, arms)
      const own = () => networkOf(origin)
      const teachers = () => teacherOrigins(arm, arms).map(networkOf)
      const isWhole = origin === 'teacher' || typeof origin !== 'string'
      return problemsOf(`arm ${arm.name}`, [
        ...(prune && isWhole ? [() => checkPrunable(own(), prune)] : []),
        ...(arm.quantise ? [() => checkPlannable(own())] : []),
        ...arm.terms.map((term) => () => {
          for (const teacher of teachers()) connect(term, own(), teacher)
        }),
        ...(arm.terms.length > 0 ? [() => checkAlike(teachers().map(headsOf))] : []),
      ])
    }),
  ]
  if (problems.length === 0) return
  throw new Error(
    `${name}: expected what its networks allow, found ${problems.length} that they do not:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
  )
}

function problemsOf(what: string, checks: readonly (() => unknown)[]): string[] {
  return checks.flatMap((check) => {
    try {
      check()
      return []
    } catch (error) {
      if (!(error instanceof Error)) throw error
      return [`${what}: ${error.message}`]
    }
  })
}

/** The same for everything that a study's notebooks train: its own comparison and the short sweeps. */
export function checkStudy(
  study: Pick<Study, 'plan' | 'sweep' | 'profile' | 'dataset' | 'given' | 'settings'>,
): void {
  for (const sweep of [study.sweep, ...shortSweeps(study)]) checkSweep(sweep, study)
}
