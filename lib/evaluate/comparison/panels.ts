/** What truth, teacher and student say of one image, side by side: which boxes, in which colour, with which words. */
import type { Box, RgbImage } from '../../data'
import type { ScoredBox } from '../columns'
import { matchBoxes } from '../disagreement'
import type { DrawnBox } from '../overlay'

/** One image with its truth, where it has one, and what each model found of what is shown. */
export interface ComparedImage {
  readonly name: string
  readonly image: RgbImage
  readonly truths?: readonly Box[]
  /** One list a model, in pixels of the image. */
  readonly found: readonly (readonly ScoredBox[])[]
}

/** An image's boxes from one source: the truth, or a model. */
export interface Panel {
  readonly title: string
  readonly boxes: readonly DrawnBox[]
  /** The same in words, for who cannot see it. */
  readonly description: string
}

/** What all agree on, what one has alone (dashed where it is missing), the truth, and what is wrong. */
export const PANEL_COLOURS = {
  agreed: '#80ed99',
  alone: '#ffb000',
  truth: '#f8f9fa',
  wrong: '#ff5964',
} as const

/** What an outline means. */
export interface Meaning {
  readonly colour: string
  readonly dashed?: boolean
  readonly words: string
}

/** What the outlines of panels mean; none where one model stands alone, whose colours are those of classes. */
export function meaningsOf({
  models,
  hasTruth,
}: {
  readonly models: number
  readonly hasTruth: boolean
}): Meaning[] {
  const { agreed, alone, truth, wrong } = PANEL_COLOURS
  if (models === 1 && !hasTruth) return []
  const ofModels: Meaning[] =
    models === 2
      ? [
          { colour: agreed, words: 'found by both' },
          { colour: alone, words: 'found by this one alone' },
          { colour: alone, dashed: true, words: 'found by the other alone' },
        ]
      : [
          { colour: agreed, words: 'right' },
          { colour: wrong, words: 'wrong' },
          { colour: alone, dashed: true, words: 'missed' },
        ]
  if (!hasTruth) return ofModels
  return [
    ...ofModels,
    { colour: truth, words: 'truth' },
    { colour: truth, dashed: true, words: 'truth that is missed' },
  ]
}

/**
 * The panels of an image: the truth, then each model. Of two models what both have is green, what one has alone orange and
 * said to be so, and dashed where the other lacks it. Of one model beside the truth a hit is green, a mistake red, and a missed
 * object dashed. A model alone has the colours of its classes.
 *
 * @param models names, one for each list of `found`
 */
export function panelsOf(
  compared: Omit<ComparedImage, 'image'>,
  models: readonly string[],
  classes: readonly string[],
): Panel[] {
  const { truths, found } = compared
  const sound = truths?.filter(({ crowd }) => !crowd)
  const hits = found.map((boxes) => (sound ? matchBoxes(sound, boxes) : undefined))
  const panels = found.map((boxes, model): Panel => {
    const hit = hits[model]
    const wrong = hit && new Set(hit.onlySecond)
    const other = found[1 - model]
    const drawn =
      found.length === 2 && other
        ? besideOther(boxes, other, wrong)
        : besideTruth(boxes, sound, hit?.onlyFirst, wrong)
    return { title: models[model]!, boxes: drawn, description: describe(drawn, classes) }
  })
  if (!truths) return panels
  const shown = truths.map((box): DrawnBox => {
    const index = sound!.indexOf(box)
    const missing = models.filter((_, model) => hits[model]!.onlyFirst.includes(index))
    const note =
      missing.length === 0 ? undefined : `missed${models.length > 1 ? ` by ${missing.join(' and ')}` : ''}`
    const base = { box, label: box.label, colour: PANEL_COLOURS.truth }
    if (note === undefined) return base
    const brief = missing.length === models.length ? 'missed' : note
    return { ...base, dashed: true, note, brief }
  })
  return [{ title: 'truth', boxes: shown, description: describe(shown, classes) }, ...panels]
}

/** A model's boxes beside another's; those that it lacks come last. */
function besideOther(
  boxes: readonly ScoredBox[],
  other: readonly ScoredBox[],
  wrong: ReadonlySet<number> | undefined,
): DrawnBox[] {
  const { onlyFirst, onlySecond } = matchBoxes(boxes, other)
  const alone = new Set(onlyFirst)
  const own = boxes.map((box, index): DrawnBox => {
    const notes = [
      ...(alone.has(index) ? ['only here'] : []),
      ...(wrong?.has(index) ? ['wrong'] : wrong && alone.has(index) ? ['right'] : []),
    ]
    const { alone: orange, agreed } = PANEL_COLOURS
    return {
      ...{ box, label: box.label, score: box.score, colour: alone.has(index) ? orange : agreed },
      ...(notes.length > 0 && { note: notes.join(', '), brief: wrong?.has(index) ? 'wrong' : '' }),
    }
  })
  const lacking = onlySecond.map((index): DrawnBox => {
    const box = other[index]!
    return { box, label: box.label, colour: PANEL_COLOURS.alone, dashed: true, note: 'not found', mute: true }
  })
  return [...own, ...lacking]
}

function besideTruth(
  boxes: readonly ScoredBox[],
  truths: readonly Box[] | undefined,
  missed: readonly number[] | undefined,
  wrong: ReadonlySet<number> | undefined,
): DrawnBox[] {
  const own = boxes.map((box, index): DrawnBox => {
    const base = { box, label: box.label, score: box.score }
    if (!wrong) return base
    return wrong.has(index)
      ? { ...base, colour: PANEL_COLOURS.wrong, note: 'wrong' }
      : { ...base, colour: PANEL_COLOURS.agreed }
  })
  const lacking = (missed ?? []).map((index): DrawnBox => {
    const box = truths![index]!
    return { box, label: box.label, colour: PANEL_COLOURS.alone, dashed: true, note: 'missed' }
  })
  return [...own, ...lacking]
}

/** "car 0.91; sign, not found". */
function describe(boxes: readonly DrawnBox[], classes: readonly string[]): string {
  if (boxes.length === 0) return 'nothing'
  return boxes
    .map(({ label, score, note }) => {
      const words = [classes[label] ?? `class ${label}`, score?.toFixed(2)].filter(Boolean).join(' ')
      return note ? `${words}, ${note}` : words
    })
    .join('; ')
}
