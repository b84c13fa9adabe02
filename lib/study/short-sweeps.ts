/** The sweeps that every study also runs in short; results with more steps and seeds are shipped. */
import type { Term, TrialConfig } from '../trial'
import type { Planned } from './plan'
import type { Study } from './study'
import { loadSweep, type Sweep } from './sweep'
import { planArms } from './sweep-arms'

/** Sweeps with a notebook of their own. */
export const SHORT_SWEEPS = ['recovery', 'unlabelled'] as const
/** Name of a short sweep that every study runs. */
export type ShortSweep = (typeof SHORT_SWEEPS)[number]

/** Such a sweep, sized by the study's profile, on validation, with the first seed. */
export function shortSweep(
  name: ShortSweep,
  { profile, sweep: own, dataset }: Pick<Study, 'profile' | 'sweep' | 'dataset'>,
): Sweep {
  const sweep = loadSweep(name)
  const { steps, labelled } = profile.side
  const images = dataset.splits.train?.length ?? 0
  return {
    ...sweep,
    profile: profile.name,
    seeds: own.seeds.slice(0, 1),
    split: 'validation',
    arms: sweep.arms.map((arm) => ({
      ...arm,
      terms: arm.terms.map((term) => connectedAs(term, profile.methods)),
      steps: typeof arm.steps === 'number' ? steps : arm.steps,
      rate: profile.stages.finetune.rate,
      // In a small data set of the user's own, at least three quarters stay unlabelled.
      ...(arm.labels?.images !== undefined && {
        labels: { ...arm.labels, images: Math.max(1, Math.min(labelled, Math.floor(images / 4))) },
      }),
      ...(arm.unlabelled && { unlabelled: { ...arm.unlabelled, batch: profile.recipe.batch } }),
    })),
  }
}

/** A term that compares what the profile's own term of its method compares. */
function connectedAs(term: Term, methods: readonly Term[]): Term {
  const { scales, features } = methods.find(({ method }) => method === term.method) ?? {}
  return { ...term, ...(scales && { scales }), ...(features && { features }) }
}

/** The trainings of the short sweeps by stable names; the models they start from must have been trained. */
export function shortTrials(study: Study): ReadonlyMap<string, TrialConfig> {
  return new Map(SHORT_SWEEPS.flatMap((name) => trainings(name, shortSweep(name, study), study)))
}

function trainings(prefix: string, sweep: Sweep, study: Planned): [string, TrialConfig][] {
  return planArms(sweep, study).flatMap(({ arm, trials: [trial] }): [string, TrialConfig][] =>
    trial ? [[`${prefix}: ${arm.name}`, trial]] : [],
  )
}
