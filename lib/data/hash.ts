import { createHash } from 'node:crypto'
import type { Dataset, Sample, SplitName } from './types'

export const SPLIT_NAMES: readonly SplitName[] = ['train', 'validation', 'test', 'unlabelled', 'shifted']

/**
 * SHA-256 over classes and, split by split, every sample's id, boxes and the digest of its image's bytes: the
 * same data give the same hash wherever they are stored.
 */
export function hashDataset(
  classes: readonly string[],
  splits: Dataset['splits'],
  digestOf: (sample: Sample) => string,
): string {
  const hash = createHash('sha256').update(JSON.stringify(classes))
  for (const name of SPLIT_NAMES) {
    hash.update(`\n${name}`)
    for (const sample of splits[name] ?? []) {
      const boxes = sample.boxes?.map((box) => [
        ...[box.x1, box.y1, box.x2, box.y2, box.label],
        ...[box.difficult ?? false, box.crowd ?? false, box.area ?? null],
      ])
      const turned = sample.orientation === undefined ? [] : [sample.orientation]
      hash.update(`\n${JSON.stringify([sample.id, boxes ?? null, digestOf(sample), ...turned])}`)
    }
  }
  return hash.digest('hex')
}
