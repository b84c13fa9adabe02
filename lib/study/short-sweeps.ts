/** The sweeps that every study also runs in short; results with more steps and seeds are shipped. */
import type { Term, TrialConfig } from '../trial'
import type { SweepArm } from './arm'
import type { Planned } from './plan'
import type { Study } from './study'
import { loadSweep, type Sweep } from './sweep'
import { planArms } from './sweep-arms'
import { runName } from './sweep-trials'

/** Name of a sweep that every study runs in short, as part of a notebook. */
export type ShortSweep = 'recovery' | 'unlabelled'

type Sized = Pick<Study, 'profile' | 'sweep' | 'dataset' | 'settings'>

/**
 * The short sweeps of a study. The one about teachers on few labels takes shipped ones, which know the scenes alone, and only
 * where the profile asks for it.
 */
export function shortSweeps(study: Sized): Sweep[] {
  const few = fewLabels(study)
  return [shortSweep('recovery', study), shortSweep('unlabelled', study), ...(few ? [few] : [])]
}

/** The sweep about teachers on few labels, as many steps and seeds as the profile says; undefined if the study has none. */
export function fewLabels({ profile, settings, sweep: own, dataset }: Sized): Sweep | undefined {
  const { fewLabels: size } = profile.side
  if (!size || settings.data !== undefined) return undefined
  const sweep = loadSweep('few-labels')
  return {
    ...sweep,
    profile: profile.name,
    seeds: sweep.seeds.slice(0, own.seeds.length),
    labels: labelledOf(sweep.labels, sweep.labels?.images ?? 0, dataset),
    arms: sweep.arms.map((arm) => ({ ...arm, steps: size.steps, ...unlabelledOf(arm, profile) })),
  }
}

/** A short sweep, sized by the study's profile, on validation, with the first seed. */
export function shortSweep(name: ShortSweep, { profile, sweep: own, dataset }: Sized): Sweep {
  const sweep = loadSweep(name)
  const { steps, labelled } = profile.side
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
      ...(arm.labels?.images !== undefined && { labels: labelledOf(arm.labels, labelled, dataset) }),
      ...unlabelledOf(arm, profile),
    })),
  }
}

/** Labels for so many images; in a small data set at least three quarters stay unlabelled. */
function labelledOf(labels: Sweep['labels'], wanted: number, { splits }: Study['dataset']): Sweep['labels'] {
  const images = splits.train?.length ?? 0
  return { ...labels, images: Math.max(1, Math.min(wanted, Math.floor(images / 4))) }
}

/** As many unlabelled images a step as labelled ones. */
function unlabelledOf({ unlabelled }: SweepArm, { recipe }: Study['profile']): Pick<SweepArm, 'unlabelled'> {
  return unlabelled ? { unlabelled: { ...unlabelled, batch: recipe.batch } } : {}
}

/** A term that compares what the profile's own term of its method compares. */
function connectedAs(term: Term, methods: readonly Term[]): Term {
  const { scales, features } = methods.find(({ method }) => method === term.method) ?? {}
  return { ...term, ...(scales && { scales }), ...(features && { features }) }
}

/** The trainings of the short sweeps by stable names; the models they start from must have been trained. */
export function shortTrials(study: Study): ReadonlyMap<string, TrialConfig> {
  return new Map(shortSweeps(study).flatMap((sweep) => trainings(sweep, study)))
}

function trainings(sweep: Sweep, study: Planned): [string, TrialConfig][] {
  return planArms(sweep, study).flatMap(({ arm, runs }) =>
    runs.map(({ seed, trial }): [string, TrialConfig] => [
      `${sweep.name}: ${sweep.seeds.length > 1 ? runName(arm, { seed }) : arm.name}`,
      trial,
    ]),
  )
}
