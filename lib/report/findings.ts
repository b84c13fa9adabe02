/** The numbers in words: nothing here that does not follow from the summary. */
import {
  CONTROL_NAMES,
  LEAST,
  METRICS,
  type MetricName,
  type PairedDifference,
  type Split,
  type SplitNumbers,
  shortOf,
  verdictText,
} from '../study'
import { comparedWith, plannedSeeds } from './differences'
import { apInterval, percent, points, pointsInterval, trainingSeeds } from './format'
import type { Summary } from './summary'

/** mAP@0.5 below which differences between students mean nothing. */
const DETECTS = 0.05

/** The split whose numbers lead: test if every trained model was measured there, else the other one. */
export function leadingSplit({ arms }: Pick<Summary, 'arms'>): Split {
  const trained = arms.filter(({ steps }) => steps > 0)
  for (const split of ['test', 'shifted'] as const) {
    if (trained.length > 0 && trained.every(({ splits }) => splits[split])) return split
  }
  return 'validation'
}

/** What a report says in words at its top. */
export interface Findings {
  /** One sentence: the result of the comparison with the first reference. */
  readonly verdict: string
  readonly details: readonly string[]
}

/** The report's verdict and what stands below it, computed from its numbers. */
export function findings(summary: Summary): Findings {
  const split = leadingSplit(summary)
  const [first, ...others] = summary.references
  return {
    verdict: first === undefined ? NO_COMPARISON : leadingVerdict(summary, first, split),
    details: [
      ...failed(summary),
      ...measurement(summary, split),
      ...(first === undefined ? [] : worseMethods(summary, first, split)),
      ...(first === undefined ? [] : byCocoAP(summary, first, split)),
      ...others.flatMap((reference) => furtherReference(summary, reference, split)),
      ...ofAnotherSize(summary, split),
      ...plateau(summary, split),
      ...chosenStudent(summary, split),
      ...resolved(summary),
    ],
  }
}

/** A distilled arm with its difference to a reference. */
interface ComparedMethod {
  readonly name: string
  /** As a share of the teacher's. */
  readonly macsShare: number | undefined
  readonly numbers: SplitNumbers
  readonly difference: PairedDifference
}

/** Networks whose MACs differ by less are of one size: pruning to a budget meets it within a few channels. */
const ALIKE = 0.1

/** Distilled networks as large as the leading reference: another size is no matter of the method. */
function methodsAgainst(
  summary: Pick<Summary, 'arms' | 'references'>,
  reference: string,
  split: Split,
  metric: MetricName = 'mAP50',
): ComparedMethod[] {
  return distilledAgainst(summary, reference, split, metric).filter(({ hasSize }) => hasSize)
}

function distilledAgainst(
  { arms, references }: Pick<Summary, 'arms' | 'references'>,
  reference: string,
  split: Split,
  metric: MetricName = 'mAP50',
): (ComparedMethod & { readonly hasSize: boolean })[] {
  const leading = arms.find(({ name }) => name === references[0])
  return comparedWith(arms, reference).flatMap(({ role, name, macs, macsShare, splits }) => {
    const { [split]: numbers } = splits
    const difference = numbers?.differences[reference]?.[metric]
    if (role !== 'method' || !numbers || !difference) return []
    const hasSize = !leading || leading.role === 'teacher' || Math.abs(macs / leading.macs - 1) < ALIKE
    return [{ name, macsShare, numbers, difference, hasSize }]
  })
}

function bestOf(methods: readonly ComparedMethod[]): ComparedMethod | undefined {
  return methods.reduce<ComparedMethod | undefined>(
    (best, method) => (best && best.difference.difference >= method.difference.difference ? best : method),
    undefined,
  )
}

const NO_COMPARISON =
  'This run has no distillation trial beside a control, so it says nothing about distillation.'

/** Name of a reference within a sentence. */
function called(reference: string): string {
  return reference === CONTROL_NAMES.steps ? 'training on without a teacher' : `“${reference}”`
}

/** How many trials have no result, and of which arms. */
function failed({ arms, ablations, failed: lost }: Summary): string[] {
  const broken = [...arms, ...ablations.filter(({ variation }) => !variation?.own), ...lost].flatMap(
    ({ name, failed: trials = [] }) => trials.map((trial) => ({ name, ...trial })),
  )
  if (broken.length === 0) return []
  const names = broken.map(({ name, seed, split, reason }) =>
    [name, seed === undefined ? '' : `, seed ${seed}`, split ? ` on ${split}` : '', ` (${reason})`].join(''),
  )
  return [
    `${broken.length === 1 ? 'One trial' : `${broken.length} trials`} failed: ${names.join('; ')}. What follows stands on the others.`,
  ]
}

/** "; of 3 training seeds 2 are left" where an arm or its reference has lost some. */
function seedsLeft({ arms }: Summary, { name, difference }: ComparedMethod, reference: string): string {
  const pair = arms.filter((arm) => arm.name === name || arm.name === reference)
  const planned = Math.max(0, ...pair.map(plannedSeeds))
  const isBroken = pair.some((arm) => arm.failed)
  return isBroken && difference.seeds < planned
    ? `; of ${planned} training seeds ${difference.seeds === 1 ? 'one is' : `${difference.seeds} are`} left`
    : ''
}

function leadingVerdict(summary: Summary, reference: string, split: Split): string {
  const methods = methodsAgainst(summary, reference, split)
  const best = bestOf(methods)
  if (!best) return NO_COMPARISON
  const highest = Math.max(...methods.map(({ numbers }) => numbers.values.mAP50?.value ?? 0))
  if (highest < DETECTS) {
    return `The students of this run detect next to nothing (the best method has mAP@0.5 ${highest.toFixed(3)} on ${split}): it shows that the study runs, and says nothing about distillation.`
  }
  const better = methods.filter(({ difference }) => difference.verdict === 'better')
  const numbers = `${pointsInterval(best.difference)} points of mAP@0.5 on ${split}${seedsLeft(summary, best, reference)}`
  if (methods.every(({ difference }) => difference.verdict === 'not shown')) {
    const lacking = shortOf(best.difference).join('; ')
    return `Too little was measured for a verdict (${lacking}): the best of ${methods.length} methods against ${called(reference)}, ${best.name}, differs by ${numbers}.`
  }
  if (better.length === 0) {
    return methods.length === 1
      ? `${best.name} was not shown to beat ${called(reference)}: ${numbers}.`
      : `None of ${methods.length} distillation methods was shown to beat ${called(reference)}; the best, ${best.name}, differs by ${numbers}.`
  }
  const names = better.map(({ name }) => name).join(', ')
  return `Distillation beat ${called(reference)} with ${better.length} of ${methods.length} methods (${names}); the best, ${best.name}, differs by ${numbers}.`
}

function measurement(summary: Summary, split: Split): string[] {
  const { resamples, confidence } = summary.bootstrap
  const measured = summary.arms.flatMap(({ splits: { [split]: numbers } }) => numbers ?? [])
  const numbers = measured.find(({ seeds }) => seeds.length > 0) ?? measured[0]
  if (!numbers) return []
  const { images, seeds } = numbers
  return [
    `Measured on ${images} ${split} images with ${trainingSeeds(seeds.length)}. Brackets are ${percent(confidence)} intervals of a ` +
      `paired bootstrap over images${seeds.length > 1 ? ' and seeds' : ''} (${resamples} resamples); a difference ` +
      `counts as shown when its interval does not contain 0, from ${LEAST.images} images on and ${LEAST.seeds} seeds of what was ` +
      'trained. A point is 0.01 mAP.',
  ]
}

function worseMethods(summary: Summary, reference: string, split: Split): string[] {
  const worse = methodsAgainst(summary, reference, split).filter(
    ({ difference }) => difference.verdict === 'worse',
  )
  if (worse.length === 0) return []
  const names = worse.map(({ name, difference }) => `${name} (${pointsInterval(difference)})`).join(', ')
  return [`Worse than ${called(reference)}: ${names}.`]
}

/** Distilled networks of another size: what the teaching gives where size is no limit. */
function ofAnotherSize(summary: Summary, split: Split): string[] {
  const others = (reference: string) =>
    distilledAgainst(summary, reference, split).filter(({ hasSize }) => !hasSize)
  const [first] = summary.references
  return (first === undefined ? [] : others(first)).map(({ name, macsShare }) => {
    const differences = summary.references.flatMap((reference) =>
      others(reference)
        .filter((other) => other.name === name)
        .map(({ difference }) => `${pointsInterval(difference)} points from “${reference}”`),
    )
    return `Of another size, with ${percent(macsShare)} of the teacher’s MACs: ${name} differs by ${differences.join(', ')}.`
  })
}

/** The other measure, which counts how exactly boxes fit: an effect can show in one and not in the other. */
function byCocoAP(summary: Summary, reference: string, split: Split): string[] {
  const compared = methodsAgainst(summary, reference, split, 'AP')
  if (compared.length === 0) return []
  const named = (verdict: PairedDifference['verdict']) => {
    const found = compared.filter(({ difference }) => difference.verdict === verdict)
    const names = found.map(({ name, difference }) => `${name} ${pointsInterval(difference)}`)
    return names.length === 0 ? `none ${verdict}` : `${names.length} ${verdict} (${names.join('; ')})`
  }
  return [
    `By ${METRICS.AP.name}, of ${compared.length} methods against ${called(reference)}: ${named('better')}, ${named('worse')}.`,
  ]
}

/** Against a control at equal compute this tells whether a method only learns faster per step. */
function furtherReference(summary: Summary, reference: string, split: Split): string[] {
  const compared = methodsAgainst(summary, reference, split)
  const best = bestOf(compared)
  if (!best) return []
  const better = compared.filter(({ difference }) => difference.verdict === 'better').map(({ name }) => name)
  return [
    `Against “${reference}” ${better.length === 0 ? 'none' : better.join(', ')} of ${compared.length} methods shown better; ` +
      `the best, ${best.name}, differs by ${pointsInterval(best.difference)} points.`,
  ]
}

/** What the teacher gains from further training: a student easily passes a teacher that is still learning. */
function plateau({ arms }: Summary, split: Split): string[] {
  const trainedOn = arms.find(({ role, name }) => role === 'teacher' && name !== 'teacher')
  const difference = trainedOn?.splits[split]?.differences.teacher?.mAP50
  if (!trainedOn || !difference) return []
  const meaning = {
    better: 'it had not reached its plateau, so a student that matches it has achieved less than it seems',
    worse: 'further training at this rate did not help it',
    'no difference shown': 'no sign that it had more to learn at this rate',
    'not shown': verdictText(difference),
  }
  return [
    `The teacher trained on for ${trainedOn.steps} steps differs from the teacher by ${pointsInterval(difference)} points: ` +
      `${meaning[difference.verdict]}.`,
  ]
}

function chosenStudent(summary: Summary, split: Split): string[] {
  const { selection, arms } = summary
  if (!selection) return []
  if (!selection.chosen) return [selection.reason]
  const { name, seed } = selection.chosen
  const arm = arms.find((candidate) => candidate.name === name)
  const teacher = arms.find(({ role }) => role === 'teacher')
  const numbers = arm?.splits[split]
  if (!arm || !numbers) return [selection.reason]
  const toTeacher = numbers.differences.teacher?.mAP50
  const which = seed === undefined ? name : `${name}, seed ${seed}`
  return [
    `Chosen on validation: ${which}, with ${percent(arm.macsShare)} of the teacher’s MACs. Its arm has mAP@0.5 ` +
      `${apInterval(numbers.values.mAP50)} on ${split}, the teacher ${apInterval(teacher?.splits[split]?.values.mAP50)}` +
      (toTeacher
        ? `; student − teacher is ${pointsInterval(toTeacher)} points: ${verdictText(toTeacher)}.`
        : '.'),
  ]
}

function resolved({ resolution }: Summary): string[] {
  if (!resolution) return []
  const { smallest, needed, method, reference, split, seedDeviation } = resolution
  const plans = needed.map(({ seeds, images }) => {
    const trained = seeds === 1 ? '1 seed' : `${seeds} seeds`
    return images === undefined ? `${trained}: no number of images` : `${trained}: ${images} images`
  })
  return [
    `A difference of ${points(smallest).replace('+', '')} points or more would have been shown with a probability of 80 % ` +
      `(from ${method} − ${reference} on ${split}). To show one point: ${plans.join('; ')}.` +
      (seedDeviation === undefined ? ' One seed says nothing about how much seeds differ.' : ''),
  ]
}

/** Limitations of this particular run. */
export function limits(summary: Summary): string[] {
  const { arms, data, trials, latency, references } = summary
  const split = leadingSplit(summary)
  const [reference] = references
  const methods = reference === undefined ? [] : methodsAgainst(summary, reference, split)
  const seeds = Math.min(...methods.map(({ numbers }) => numbers.seeds.length))
  const found: string[] = []
  if (methods.length > 0 && seeds === 1) {
    found.push('One training seed: the intervals cover the choice of images, not the luck of a training run.')
  } else if (methods.length > 0 && seeds < 5) {
    found.push(
      `${seeds} training seeds: resampling so few understates their variance (by the factor ${seeds - 1}/${seeds}), so the intervals are somewhat too narrow.`,
    )
  }
  if (methods.length > 1) {
    found.push(
      `${methods.length} methods are compared with one control and the intervals are not corrected for that: if no method had any effect, at least one would still be called better or worse with a probability of up to ${percent(1 - summary.bootstrap.confidence ** methods.length)}.`,
    )
  }
  if (split === 'validation') {
    found.push(
      'Methods and settings are chosen on validation as well, so its numbers flatter whatever was chosen.',
    )
  }
  if (methods.length > 0 && !arms.some(({ role, name }) => role === 'control' && name !== reference)) {
    found.push(
      'The control has the same number of steps as the methods, not the same compute: a distillation step also runs the teacher (see Cost).',
    )
  }
  if (!data.ownData) {
    found.push(
      'The images are rendered street scenes with exact labels. They show how the methods behave under control, not what they would gain on a real camera’s images.',
    )
  }
  if (latency) {
    found.push(
      `Milliseconds a frame are those of ${latency.machine.name} on one thread; another processor and another runtime may order models differently.`,
    )
  }
  const precisions = new Set(
    trials.flatMap(({ trial: { config } }) =>
      'training' in config ? [config.training.recipe.precision] : [],
    ),
  )
  if (precisions.has('bfloat16') || precisions.has('float16')) {
    found.push(
      `Trained in ${[...precisions].join(' and ')}; in another precision the numbers differ slightly.`,
    )
  }
  if (!arms.some(({ role }) => role === 'control')) {
    found.push('Without a control this run says nothing about distillation as such.')
  }
  return found
}
