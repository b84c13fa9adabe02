import type { ScannedSample } from './open'
import type { Problem } from './problem'
import type { SplitName } from './types'

/** An image that is held out longer stays; its copies in splits before it are the ones to leave out. */
const HELD: Readonly<Record<SplitName, number>> = {
  unlabelled: 0,
  train: 1,
  validation: 2,
  test: 3,
  shifted: 4,
}

/** Images whose bytes are in two splits: each copy that should not be there, with what is said of it. */
export function sharedImages(
  samples: readonly ScannedSample[],
): { readonly copy: ScannedSample; readonly problem: Problem }[] {
  const firstOf = new Map<string, ScannedSample>()
  const shared: { copy: ScannedSample; problem: Problem }[] = []
  for (const scanned of [...samples].sort((a, b) => HELD[b.split] - HELD[a.split])) {
    const first = firstOf.get(scanned.facts.digest)
    if (first === undefined) firstOf.set(scanned.facts.digest, scanned)
    else if (first.split !== scanned.split) {
      const message = `expected an image of one split, found the same bytes as ${first.sample.file} of ${first.split}`
      const problem: Problem = { kind: 'duplicate image', file: scanned.sample.file, message }
      shared.push({ copy: scanned, problem })
    }
  }
  return shared
}
