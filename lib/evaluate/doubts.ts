import type { Detections, Truths } from './types'
import { evaluateVoc } from './voc'

/**
 * Reasons to doubt a result: nothing matches anything; nearly all matches have another class, as when classes
 * are in a different order; most images have no detection.
 */
export function doubts(truths: Truths, detections: Detections, classes: readonly string[]): string[] {
  const found: string[] = []
  if (truths.image.length === 0) return ['the truths hold no object: there is nothing to find']
  if (detections.image.length === 0) return ['there is no detection']
  const hits = hitsOf(truths, detections)
  const anyClass = hitsOf(asOneClass(truths), {
    ...detections,
    label: new Int32Array(detections.label.length),
  })
  if (hits === 0 && anyClass > 0)
    found.push(
      `no detection lies on a truth of its class by IoU 0.5, but ${anyClass} lie on truths of other classes: ` +
        `are the classes (${classes.slice(0, 5).join(', ')}${classes.length > 5 ? ', ...' : ''}) in another order? --detection-classes names theirs`,
    )
  else if (hits === 0)
    found.push(
      'no detection lies on any truth by IoU 0.5: are both about the same images, and do the columns mean what was assumed? Set them with --columns',
    )
  else if (anyClass >= 10 && hits * 4 < anyClass)
    found.push(
      `${anyClass} detections lie on truths by IoU 0.5, of which ${hits} have their class: are the classes in another order? --detection-classes names theirs`,
    )
  const seen = new Set(detections.image).size
  const labelled = new Set(truths.image).size
  if (labelled >= 2 && seen * 2 <= labelled)
    found.push(`detections are there for ${seen} images, truths for ${labelled}: the others count as missed`)
  return found
}

/** Truths found at IoU 0.5. */
function hitsOf(truths: Truths, detections: Detections): number {
  const { perClass } = evaluateVoc(truths, detections)
  return perClass
    .filter(({ truths: count }) => count > 0)
    .reduce((sum, { recall, truths: count }) => sum + Math.round((recall.at(-1) ?? 0) * count), 0)
}

function asOneClass(truths: Truths): Truths {
  return { ...truths, classes: 1, label: new Int32Array(truths.label.length) }
}
