/** What the numbers say, in words: nothing here that does not follow from the summary. */
import { CONTROL_NAMES, type PairedDifference, type Split } from '../study'
import { apInterval, count, percent, points, pointsInterval, trainingSeeds } from './format'
import type { ArmSummary, StudySummary } from './summary-types'

/** mAP@0.5 below which differences between students mean nothing. */
const DETECTS = 0.05

/** The split whose numbers lead: test where control and methods were measured there, else validation. */
export function leadingSplit({ arms }: StudySummary): Split {
  const compared = arms.filter(({ role }) => role === 'control' || role === 'method')
  return compared.length > 0 && compared.every(({ test }) => test) ? 'test' : 'validation'
}

export interface Findings {
  /** One sentence: what came out of the comparison with the control. */
  readonly verdict: string
  readonly details: readonly string[]
}

export function findings(summary: StudySummary): Findings {
  const split = leadingSplit(summary)
  return {
    verdict: verdictAgainstControl(summary, split),
    details: [
      ...measurement(summary, split),
      ...worseMethods(summary, split),
      ...byCocoAP(summary, split),
      ...equalCompute(summary, split),
      ...plateau(summary, split),
      ...chosenStudent(summary, split),
      ...resolved(summary),
    ],
  }
}

function methodsOf({ arms }: StudySummary, split: Split) {
  return arms.flatMap((arm) => {
    const numbers = arm[split]
    const difference = numbers?.toControl
    return arm.role === 'method' && numbers && difference ? [{ name: arm.name, numbers, difference }] : []
  })
}

function verdictAgainstControl(summary: StudySummary, split: Split): string {
  const methods = methodsOf(summary, split)
  const best = methods.reduce<(typeof methods)[number] | undefined>(
    (found, method) =>
      found && found.difference.difference >= method.difference.difference ? found : method,
    undefined,
  )
  if (!best)
    return 'This run has no distillation trial beside a control, so it says nothing about distillation.'
  const highest = Math.max(...methods.map(({ numbers }) => numbers.mAP50.value))
  if (highest < DETECTS) {
    return `The students of this run detect next to nothing (the best method has mAP@0.5 ${highest.toFixed(3)} on ${split}): it shows that the study runs, and says nothing about distillation.`
  }
  const better = methods.filter(({ difference }) => difference.verdict === 'better')
  const numbers = `${pointsInterval(best.difference)} points of mAP@0.5 on ${split}`
  if (better.length === 0) {
    return methods.length === 1
      ? `${best.name} was not shown to beat training on without a teacher: ${numbers}.`
      : `None of ${methods.length} distillation methods was shown to beat training on without a teacher; the best, ${best.name}, differs by ${numbers}.`
  }
  const names = better.map(({ name }) => name).join(', ')
  return `Distillation beat training on without a teacher with ${better.length} of ${methods.length} methods (${names}); the best, ${best.name}, differs by ${numbers}.`
}

function measurement(summary: StudySummary, split: Split): string[] {
  const { resamples, confidence } = summary.bootstrap
  const numbers =
    summary.arms.find((arm) => arm.role === 'control' && arm[split])?.[split] ?? summary.arms[0]?.[split]
  if (!numbers) return []
  return [
    `Measured on ${numbers.images} ${split} images with ${trainingSeeds(numbers.seeds.length)}. Brackets are ${percent(confidence)} intervals of a ` +
      `paired bootstrap over images${numbers.seeds.length > 1 ? ' and seeds' : ''} (${resamples} resamples); a difference ` +
      'counts as shown when its interval does not contain 0. A point is 0.01 mAP.',
  ]
}

function worseMethods(summary: StudySummary, split: Split): string[] {
  const worse = methodsOf(summary, split).filter(({ difference }) => difference.verdict === 'worse')
  if (worse.length === 0) return []
  const names = worse.map(({ name, difference }) => `${name} (${pointsInterval(difference)})`).join(', ')
  return [`Worse than the control: ${names}.`]
}

/** The other measure, which counts how exactly boxes sit: an effect can show in one and not in the other. */
function byCocoAP({ arms }: StudySummary, split: Split): string[] {
  const compared = arms.flatMap(({ role, name, [split]: numbers }) =>
    role === 'method' && numbers?.toControlAP ? [{ name, difference: numbers.toControlAP }] : [],
  )
  if (compared.length === 0) return []
  const named = (verdict: PairedDifference['verdict']) => {
    const found = compared.filter(({ difference }) => difference.verdict === verdict)
    const names = found.map(({ name, difference }) => `${name} ${pointsInterval(difference)}`)
    return names.length === 0 ? `none ${verdict}` : `${names.length} ${verdict} (${names.join('; ')})`
  }
  return [
    `By COCO AP, of ${compared.length} methods against the control: ${named('better')}, ${named('worse')}.`,
  ]
}

/** Whether a method that is ahead of the control only learns faster a step. */
function equalCompute(summary: StudySummary, split: Split): string[] {
  const compared = summary.arms.flatMap((arm) => {
    const difference = arm.role === 'method' ? arm[split]?.toCompute : undefined
    return difference ? [{ name: arm.name, difference }] : []
  })
  const [first, ...others] = compared
  if (!first) return []
  const best = others.reduce(
    (found, method) => (method.difference.difference > found.difference.difference ? method : found),
    first,
  )
  const better = compared.filter(({ difference }) => difference.verdict === 'better').map(({ name }) => name)
  return [
    `Against a control that was given the compute which the teacher costs: ${better.length === 0 ? 'none' : better.join(', ')} of ` +
      `${compared.length} methods shown better; the best, ${best.name}, differs by ${pointsInterval(best.difference)} points.`,
  ]
}

/** What the teacher gains when it is trained on: a teacher that still learns is easily passed by its student. */
function plateau({ arms }: StudySummary, split: Split): string[] {
  const difference = arms.find(({ name }) => name === CONTROL_NAMES.teacher)?.[split]?.toTeacher
  if (!difference) return []
  const meaning = {
    better: 'it had not reached its plateau, so a student that reaches it has reached less than it seems',
    worse: 'training on at this rate did not help it',
    'no difference shown': 'no sign that it had more to learn at this rate',
  }
  return [
    `The teacher trained on for as many steps differs from the teacher by ${pointsInterval(difference)} points: ` +
      `${meaning[difference.verdict]}.`,
  ]
}

function chosenStudent(summary: StudySummary, split: Split): string[] {
  const { selection, arms } = summary
  if (!selection) return []
  if (!selection.chosen) return [selection.reason]
  const { name, seed } = selection.chosen
  const arm = arms.find((candidate) => candidate.name === name)
  const teacher = arms.find(({ role }) => role === 'teacher')
  const numbers = arm?.[split]
  if (!arm || !numbers) return [selection.reason]
  const { toTeacher } = numbers
  return [
    `Chosen on validation: ${name}, seed ${seed}, with ${percent(arm.macsShare)} of the teacher’s MACs. Its arm has mAP@0.5 ` +
      `${apInterval(numbers.mAP50)} on ${split}, the teacher ${apInterval(teacher?.[split]?.mAP50)}` +
      (toTeacher ? `; student − teacher is ${pointsInterval(toTeacher)} points: ${toTeacher.verdict}.` : '.'),
  ]
}

function resolved({ resolution }: StudySummary): string[] {
  if (!resolution) return []
  const { smallest, needed, method, split, seedDeviation } = resolution
  const plans = needed.map(({ seeds, images }) => {
    const trained = seeds === 1 ? '1 seed' : `${seeds} seeds`
    return images === undefined ? `${trained}: no number of images` : `${trained}: ${images} images`
  })
  return [
    `A difference of ${points(smallest).replace('+', '')} points or more would have been shown with a probability of 80 % ` +
      `(from ${method} − control on ${split}). To show one point: ${plans.join('; ')}.` +
      (seedDeviation === undefined ? ' One seed says nothing about how much seeds differ.' : ''),
  ]
}

/** Restrictions that hold for this very run. */
export function limits(summary: StudySummary): string[] {
  const { arms, profile, data, trials } = summary
  const split = leadingSplit(summary)
  const methods = methodsOf(summary, split)
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
  const computeControl = arms.some(({ name }) => name === CONTROL_NAMES.compute)
  if (methods.length > 0 && !computeControl) {
    found.push(
      'The control has the same number of steps as the methods, not the same compute: a distillation step also runs the teacher (see Cost).',
    )
  }
  if (!data.ownData) {
    found.push(
      'The images are rendered street scenes with exact labels. They show how the methods behave under control, not what they would gain on a real camera’s images.',
    )
  }
  if (profile.workers > 1) {
    found.push(
      `Milliseconds an image were measured while up to ${profile.workers} trials ran side by side; they compare models of this run, and are no benchmark of the device.`,
    )
  }
  const precisions = new Set(
    trials.flatMap(({ trial: { config } }) =>
      'training' in config ? [config.training.recipe.precision] : [],
    ),
  )
  if (precisions.has('bfloat16') || precisions.has('float16')) {
    found.push(
      `Trained in ${[...precisions].join(' and ')}; in another precision the numbers differ a little.`,
    )
  }
  if (!arms.some(({ role }) => role === 'control')) {
    found.push('Without a control nothing can be said about distillation as such.')
  }
  return found
}

/** The run that this workbook follows: darknet21-YOLOv3, 512x192, 8 classes of a car’s cockpit; counts by mmdet’s rules. */
export const PUBLISHED_CASE = {
  teacher: { mmdet: 8.5e9, mAP50: 0.74 },
  student: { mmdet: 3.94e9, mAP50: 0.731 },
  distilled: { method: 'objectness-mse', mAP50: 0.7413 },
} as const

/** The published numbers beside this run's. */
export function publishedRows(summary: StudySummary): { [column: string]: string }[] {
  const split = leadingSplit(summary)
  const { teacher, student, distilled } = PUBLISHED_CASE
  const of = (role: ArmSummary['role']) => summary.arms.find((arm) => arm.role === role)
  const method = summary.arms.find(({ name }) => name === distilled.method)
  const [ownTeacher, ownStudent, control] = [of('teacher'), of('student'), of('control')]
  const [distilled50, student50] = [method?.[split]?.mAP50, ownStudent?.[split]?.mAP50]
  const share = (arm: ArmSummary | undefined) =>
    arm && ownTeacher ? percent(arm.complexity.mmdet / ownTeacher.complexity.mmdet) : '–'
  const row = (what: string, published: string, here: string, comparable: string) => ({
    what,
    published,
    [`this run (${split})`]: here,
    comparable,
  })
  const size = (arm: ArmSummary | undefined) => (arm ? count(arm.complexity.mmdet) : '–')
  return [
    row('teacher, mmdet count', count(teacher.mmdet), size(ownTeacher), 'no: other input size and widths'),
    row('student, mmdet count', count(student.mmdet), size(ownStudent), 'no: other input size and widths'),
    row('student over teacher', percent(student.mmdet / teacher.mmdet), share(ownStudent), 'yes'),
    row(
      'teacher, mAP@0.5',
      teacher.mAP50.toFixed(4),
      apInterval(ownTeacher?.[split]?.mAP50),
      'no: other data',
    ),
    row(
      'student, mAP@0.5',
      student.mAP50.toFixed(4),
      apInterval(ownStudent?.[split]?.mAP50),
      'no: other data',
    ),
    row(
      'student − teacher, points',
      points(student.mAP50 - teacher.mAP50),
      pointsInterval(ownStudent?.[split]?.toTeacher),
      'sign and size, with care',
    ),
    row(
      `${distilled.method}, mAP@0.5`,
      distilled.mAP50.toFixed(4),
      apInterval(method?.[split]?.mAP50),
      'no: other data',
    ),
    row(
      `${distilled.method} − student, points`,
      points(distilled.mAP50 - student.mAP50),
      distilled50 && student50 ? points(distilled50.value - student50.value) : '–',
      'no: includes training longer',
    ),
    row(
      `${distilled.method} − control, points`,
      'not published',
      control ? pointsInterval(method?.[split]?.toControl) : '–',
      'the effect of distillation itself',
    ),
  ]
}

export const PUBLISHED_STATEMENT =
  'The published run used other images (a car’s cockpit, 512 × 192 pixels, 8 classes), full widths, one run a row, and gave neither intervals nor ' +
  'a control that was trained on without a teacher. Absolute values are therefore not comparable; the share of the ' +
  'student’s cost is, and the sign of differences with care.'
