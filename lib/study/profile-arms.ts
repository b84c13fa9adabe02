/** Turns a profile's controls, methods and ablations into the arms of a sweep: the study's own comparison. */
import { PUBLISHED } from '../losses'
import { distilledSteps, type Term } from '../trial'
import type { SweepArm } from './arm'
import { stageSteps } from './plan'
import type { Profile } from './profile'
import type { Sweep } from './sweep'

/** Names of the controls, for tables and figures. */
export const CONTROL_NAMES = {
  steps: 'control',
  compute: 'control, equal compute',
  teacher: 'teacher trained on',
  scratch: 'from scratch',
  quantised: 'quantised only',
} as const

/**
 * A profile's study as a sweep: controls and methods with every seed, ablations with the first.
 * @throws Error if an ablation varies a method that the profile does not have, or the temperature of one without
 */
export function profileSweep(
  profile: Profile,
  { seeds, ownData }: { readonly seeds: readonly number[]; readonly ownData: boolean },
): Sweep {
  const steps = stageSteps(profile, ownData)
  const { rate, quantise } = profile.stages.distill
  const arm = (name: string, change: Partial<SweepArm> = {}): SweepArm => ({
    name,
    start: 'student',
    fresh: false,
    steps: steps.distill,
    rate,
    terms: [],
    ...(quantise && { quantise }),
    ...change,
  })
  const methods = profile.methods.map((term) => arm(term.method, { terms: [term] }))
  // The control gets the cost of the most expensive method.
  const costs = profile.methods.map((term) => distilledSteps([term], steps.distill))
  const costliest = profile.methods[costs.indexOf(Math.max(...costs))]!.method
  const { equalCompute, teacher, scratch } = profile.controls
  const series = 'without a teacher'
  const float = { quantise: undefined }
  const again = { ...float, steps: steps.finetune + steps.distill, rate: profile.stages.finetune.rate }
  return {
    name: profile.name,
    question: 'Does a distilled student beat one that is trained on without a teacher?',
    profile: profile.name,
    seeds: [...seeds],
    split: 'validation',
    references: [
      CONTROL_NAMES.steps,
      ...(equalCompute ? [CONTROL_NAMES.compute] : []),
      ...(quantise ? [CONTROL_NAMES.quantised, 'student'] : []),
      'teacher',
    ],
    arms: [
      arm(CONTROL_NAMES.steps, { series }),
      ...(equalCompute ? [arm(CONTROL_NAMES.compute, { series, steps: { asCostlyAs: costliest } })] : []),
      ...(quantise ? [arm(CONTROL_NAMES.quantised, { series, steps: 0 })] : []),
      ...(teacher ? [arm(CONTROL_NAMES.teacher, { ...float, start: 'teacher' })] : []),
      ...(scratch ? [arm(CONTROL_NAMES.scratch, { fresh: true, ...again })] : []),
      ...methods,
      ...ablationArms(profile, seeds.slice(0, 1), arm),
    ],
  }
}

function ablationArms(
  { name, methods, ablations: { lambda, threshold, temperature } }: Profile,
  seeds: number[],
  arm: (name: string, change: Partial<SweepArm>) => SweepArm,
): SweepArm[] {
  const termOf = (method: string): Term => {
    const term = methods.find((candidate) => candidate.method === method)
    if (term) return term
    throw new Error(`profile ${name}: ablations need method "${method}" among its methods, found none`)
  }
  const lambdas = lambda.methods.flatMap((method) =>
    lambda.factors.map((value) =>
      arm(`${method}, lambda x ${value}`, {
        terms: [scaleWeight(termOf(method), value)],
        seeds,
        variation: { method, varied: 'lambda', value },
      }),
    ),
  )
  const masked = methods.find((term) => term.threshold !== undefined)
  if (threshold.length > 0 && !masked) {
    throw new Error(
      `profile ${name}: ablations.threshold: expected a method with a threshold among methods, found none; give it its ` +
        'threshold there, or leave the list empty',
    )
  }
  const thresholds = threshold.flatMap((value) =>
    masked
      ? arm(`${masked.method}, threshold ${value}`, {
          terms: [{ ...masked, threshold: value }],
          seeds,
          variation: { method: masked.method, varied: 'threshold', value },
        })
      : [],
  )
  const temperatures = temperature.methods.flatMap((method) => {
    if (!('temperature' in PUBLISHED[method])) {
      throw new Error(
        `profile ${name}: ablations.temperature.methods: expected methods with a temperature, found ${method}`,
      )
    }
    return temperature.values.map((value) =>
      arm(`${method}, temperature ${value}`, {
        terms: [{ ...termOf(method), temperature: value }],
        seeds,
        variation: { method, varied: 'temperature', value },
      }),
    )
  })
  return [...lambdas, ...thresholds, ...temperatures]
}

function scaleWeight(term: Term, factor: number): Term {
  const { weight } = term
  return { ...term, weight: typeof weight === 'number' ? weight * factor : { ratio: weight.ratio * factor } }
}
