import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { checkColumns } from './columns'
import { findMistakes, type MistakeLimits } from './find-mistakes'
import { MISTAKE_KINDS, type Mistake, type MistakeKind } from './mistake-outcome'
import { iouSchema, limitSchema } from './options'
import type { Detections, Truths } from './types'

/** All mistakes of a detector, and what each kind costs. */
export interface MistakesResult {
  /**
   * Mean 101-point AP at the foreground threshold over the classes present in the truths or the detections;
   * NaN if there are none.
   */
  readonly mAP: number
  /** Number of mistakes of each kind, and how much mAP rises when that kind alone is fixed. */
  readonly kinds: { readonly [kind in MistakeKind]: { readonly count: number; readonly cost: number } }
  /** Rise of mAP if every false positive ranked last, and if no truth were missed. */
  readonly falsePositives: number
  readonly falseNegatives: number
  readonly list: readonly Mistake[]
}

/** Defaults: 0.5, 0.1 and 100. */
export type MistakesOptions = Partial<MistakeLimits>

const optionsSchema: Schema<MistakeLimits> = z
  .object({
    foreground: iouSchema.default(0.5),
    background: iouSchema.default(0.1),
    maxDetections: limitSchema.default(100),
  })
  .strict()
  .refine(({ foreground, background }) => background <= foreground, 'expected background <= foreground')

/**
 * Mistakes by kind, by TIDE's definitions (Bolya et al., A General Toolbox for Identifying Object Detection
 * Errors, ECCV 2020, section 2; equal to tidecv 1.0.1 with pycocotools' 101 recalls).
 *
 * A detection that is not a true positive is the first of these that applies:
 * - `localisation`: its IoU with a truth of its class is between background and foreground, both included,
 * - `class`: its IoU with a truth of another class reaches the foreground,
 * - `duplicate`: its IoU with a truth of its class taken by another detection reaches the foreground,
 * - `background`: no IoU above the background,
 * - `both`: anything else, wrong in class and place.
 * A truth that nothing took is `missed` unless fixing a `class` or `localisation` mistake would find it.
 *
 * Fixing turns the best-scored `class` or `localisation` mistake of a free truth into a hit of that truth and
 * removes all other mistakes of the kind; a missed truth is removed from the count. The cost is the rise of mAP, at
 * least 0; costs do not add up. Crowd and difficult truths are TIDE's ignore regions: they forgive detections
 * of their class that lie inside them by more than the foreground threshold.
 */
export function mistakes(
  truths: Truths,
  detections: Detections,
  options: MistakesOptions = {},
): MistakesResult {
  const limits = parseDocument(options, optionsSchema, 'mistakes options')
  checkColumns(truths, detections)
  const outcome = findMistakes(truths, detections, limits)
  const mAP = outcome.meanAp(outcome.points, outcome.positives)
  const kinds = Object.fromEntries(
    MISTAKE_KINDS.map((kind) => {
      const cost = Math.max(0, outcome.mended(kind) - mAP)
      return [kind, { count: outcome.list.filter((mistake) => mistake.kind === kind).length, cost }]
    }),
  ) as Record<MistakeKind, { count: number; cost: number }>
  const nothing = outcome.points.length === 0 && outcome.positives.every((count) => count === 0)
  return {
    mAP: nothing ? Number.NaN : mAP,
    kinds,
    falsePositives: outcome.withoutFalsePositives() - mAP,
    falseNegatives: outcome.withoutFalseNegatives() - mAP,
    list: outcome.list,
  }
}

const worstSchema = z
  .object({ count: z.number().int().min(0).default(10), minScore: z.number().default(0.3) })
  .strict()

/**
 * Images with the most mistakes, worst first: mistakes of detections scored at least `minScore`, and missed
 * truths. Ties keep the order of images; images without mistakes are left out.
 */
export function worstImages(
  result: MistakesResult,
  detections: Detections,
  options: { readonly count?: number; readonly minScore?: number } = {},
): readonly { readonly image: number; readonly mistakes: readonly Mistake[] }[] {
  const { count, minScore } = parseDocument(options, worstSchema, 'worstImages options')
  const perImage = new Map<number, Mistake[]>()
  for (const mistake of result.list) {
    if (mistake.detection !== undefined && detections.score[mistake.detection]! < minScore) continue
    const list = perImage.get(mistake.image)
    if (list === undefined) perImage.set(mistake.image, [mistake])
    else list.push(mistake)
  }
  return [...perImage]
    .map(([image, list]) => ({ image, mistakes: list }))
    .sort((a, b) => b.mistakes.length - a.mistakes.length || a.image - b.image)
    .slice(0, count)
}
