/**
 * Where two sets of boxes of one image agree: two models', or a model's and the truth. On plain arrays, so that a browser
 * has it too.
 */
import { iou } from '../data/overlap'
import type { Box } from '../data/types'
import type { ScoredBox } from './columns'

type Placed = Pick<Box, 'x1' | 'y1' | 'x2' | 'y2' | 'label'>

/** Indices of boxes: those that both sets have, as pairs, and those that one has alone. */
export interface Agreement {
  readonly both: readonly (readonly [first: number, second: number])[]
  readonly onlyFirst: readonly number[]
  readonly onlySecond: readonly number[]
}

/** Boxes of one class are the same object from this IoU on, as in VOC's evaluation. */
export const SAME_OBJECT = 0.5

/**
 * Pairs boxes of the same class one to one, the largest IoU first, down to `least`. Which set comes first makes no
 * difference; equal overlaps are taken in the order of the boxes.
 */
export function matchBoxes(
  first: readonly Placed[],
  second: readonly Placed[],
  least = SAME_OBJECT,
): Agreement {
  const pairs = first.flatMap((a, i) =>
    second.flatMap((b, j) => {
      const overlap = a.label === b.label ? iou(a, b) : 0
      return overlap > 0 && overlap >= least ? [{ i, j, overlap }] : []
    }),
  )
  pairs.sort((a, b) => b.overlap - a.overlap || a.i - b.i || a.j - b.j)
  const [ofFirst, ofSecond] = [new Set<number>(), new Set<number>()]
  const both: [number, number][] = []
  for (const { i, j } of pairs) {
    if (ofFirst.has(i) || ofSecond.has(j)) continue
    ofFirst.add(i)
    ofSecond.add(j)
    both.push([i, j])
  }
  const alone = (boxes: readonly Placed[], matched: ReadonlySet<number>) =>
    [...boxes.keys()].filter((index) => !matched.has(index))
  return { both, onlyFirst: alone(first, ofFirst), onlySecond: alone(second, ofSecond) }
}

/** How much two sets of boxes of one image differ. */
export interface Disagreement {
  /** Boxes that one set has alone. */
  readonly boxes: number
  /** Sum of their scores; a truth counts 1. */
  readonly weight: number
}

/** The boxes that one of two sets has alone, counted and weighed. */
export function disagreement(
  first: readonly (Placed & { readonly score?: number })[],
  second: readonly ScoredBox[],
  least = SAME_OBJECT,
): Disagreement {
  const { onlyFirst, onlySecond } = matchBoxes(first, second, least)
  const scores = [
    ...onlyFirst.map((index) => first[index]!.score ?? 1),
    ...onlySecond.map((index) => second[index]!.score),
  ]
  return { boxes: scores.length, weight: scores.reduce((sum, score) => sum + score, 0) }
}

/** Orders by disagreement, the largest first: by boxes, then by their weight. */
export function moreDisagreement(a: Disagreement, b: Disagreement): number {
  return b.boxes - a.boxes || b.weight - a.weight
}
