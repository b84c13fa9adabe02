import type { Problem } from './problem'
import type { Sample, SplitName } from './types'

/** Rank of the splits: the image in the split held out longest stays; its copies in lower splits should be left out. */
const HELD: Readonly<Record<SplitName, number>> = {
  unlabelled: 0,
  train: 1,
  validation: 2,
  test: 3,
  shifted: 4,
}

/** The part of a scanned sample that is compared and named. */
interface Scanned {
  readonly sample: Pick<Sample, 'file'>
  readonly split: SplitName
  readonly facts: { readonly digest: string }
}

/** Images whose bytes are in two splits: each copy that should not be there, with a message. */
export function sharedImages<T extends Scanned>(
  samples: readonly T[],
): { readonly copy: T; readonly first: T; readonly problem: Problem }[] {
  const firstOf = new Map<string, T>()
  const shared: { copy: T; first: T; problem: Problem }[] = []
  for (const scanned of [...samples].sort((a, b) => HELD[b.split] - HELD[a.split])) {
    const first = firstOf.get(scanned.facts.digest)
    if (first === undefined) firstOf.set(scanned.facts.digest, scanned)
    else if (first.split !== scanned.split) {
      const message = `expected an image of one split, found the same bytes as ${first.sample.file} of ${first.split}`
      const problem: Problem = { kind: 'duplicate image', file: scanned.sample.file, message }
      shared.push({ copy: scanned, first, problem })
    }
  }
  return shared
}
