/** The sweeps that every study runs in short beside its main comparison; with more steps and seeds they come with results. */
import type { TrialConfig } from '../trial'
import { namedTrials } from './plan'
import type { Study } from './study'
import { loadSweep, planSweep, type Sweep } from './sweep'
import { sweepTrials } from './sweep-result'

/** Sweeps with a notebook of their own. */
export const SIDE_SWEEPS = ['recovery', 'unlabelled'] as const
export type SideSweep = (typeof SIDE_SWEEPS)[number]

/** A side sweep at the size that the study's profile gives it, on validation, with the first seed. */
export function sideSweep(name: SideSweep, { profile, plan, dataset }: Study): Sweep {
  const sweep = loadSweep(name)
  const { steps, labelled } = profile.side
  const images = dataset.splits.train?.length ?? 0
  return {
    ...sweep,
    profile: profile.name,
    seeds: [firstSeed(plan)],
    split: 'validation',
    arms: sweep.arms.map((arm) => ({
      ...arm,
      steps: typeof arm.steps === 'number' ? steps : arm.steps,
      rate: profile.stages.finetune.rate,
      // Of a small data set of the user's own, three quarters at least stay unlabelled.
      ...(arm.labels?.images !== undefined && {
        labels: { ...arm.labels, images: Math.max(1, Math.min(labelled, Math.floor(images / 4))) },
      }),
      ...(arm.unlabelled && { unlabelled: { ...arm.unlabelled, batch: profile.recipe.batch } }),
    })),
  }
}

function firstSeed({ control: [trial] }: Study['plan']): number {
  if (!trial || !('training' in trial))
    throw new Error('the study: expected a control that is trained, found none')
  return trial.training.seed
}

/** The trials of the side sweeps by names that stay; what they start from must have been trained. */
export function sideTrials(study: Study): ReadonlyMap<string, TrialConfig> {
  const named = new Map<string, TrialConfig>()
  for (const side of SIDE_SWEEPS) {
    const sweep = sideSweep(side, study)
    planSweep(sweep, study).forEach(([trial], arm) => {
      if (trial) named.set(`${side}: ${sweep.arms[arm]!.name}`, trial)
    })
  }
  return named
}

/**
 * All trials that the notebooks run, side sweeps included, about in the order in which they ask for them; teacher and student
 * must be there.
 */
export function workbookTrials(study: Study): TrialConfig[] {
  const { plan, precision } = study
  const named = [...namedTrials(plan, precision).values()]
  const onTest = named.filter((trial) => trial.kind === 'evaluate' && trial.split === 'test')
  const others = plan.otherControls.flatMap(({ trials }) => trials)
  const last = new Set([...others, ...onTest])
  const side = SIDE_SWEEPS.map((name) => sweepTrials(sideSweep(name, study), study))
  return [
    ...named.filter((trial) => !last.has(trial)),
    ...side.flatMap(({ training, measuring }) => [...training, ...measuring]),
    ...last,
  ]
}
