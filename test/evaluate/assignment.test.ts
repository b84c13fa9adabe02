import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import { inFloat64 } from '../../lib/engine'
import { assignGreedily, type Proposals } from '../../lib/evaluate/assignment'

/** One detection after the other takes what it prefers among the free truths. */
function oneByOne(proposals: Proposals, thresholds: Float64Array): Float64Array {
  const { detections, detection, truth, overlap, preference, priority, shared } = proposals
  const taken = new Float64Array(detections * thresholds.length).fill(-1)
  const pairs = [...detection.keys()]
  const first = (d: number) => priority[pairs.find((i) => detection[i] === d) ?? 0]!
  const order = [...new Set(detection)].sort((a, b) => first(b) - first(a))
  thresholds.forEach((threshold, t) => {
    const used = new Set<number>()
    for (const d of order) {
      const [best] = pairs
        .filter((i) => detection[i] === d && overlap[i]! >= threshold && !used.has(truth[i]!))
        .sort((i, j) => preference[j]! - preference[i]!)
      if (best === undefined) continue
      taken[d * thresholds.length + t] = preference[best]!
      if (shared[best] === 0) used.add(truth[best]!)
    }
  })
  return taken
}

function compare(proposals: Proposals, thresholds: Float64Array, what: string): void {
  const found = inFloat64((device) => assignGreedily(device, proposals, thresholds))
  // Below 0 is "nothing", whatever the number.
  assert.deepEqual(
    [...found].map((value) => Math.max(value, -1)),
    [...oneByOne(proposals, thresholds)],
    what,
  )
}

test('proposals give the same result as one detection after the other', () => {
  for (let number = 0; number < 150; number++) {
    const random = new Random('assignment', number)
    const detections = 1 + random.integer(12)
    const truths = 1 + random.integer(8)
    const isShared = Uint8Array.from({ length: truths }, () => (random.chance(0.15) ? 1 : 0))
    const rows: [detection: number, truth: number, overlap: number][] = []
    for (let d = 0; d < detections; d++)
      for (let g = 0; g < truths; g++) if (random.chance(0.6)) rows.push([d, g, random.integer(10) / 10])
    if (rows.length === 0) continue
    const ranks = random.permutation(rows.length)
    const priorities = random.permutation(detections)
    const proposals: Proposals = {
      ...{ detections, truths },
      detection: Int32Array.from(rows, ([d]) => d),
      truth: Int32Array.from(rows, ([, g]) => g),
      overlap: Float64Array.from(rows, ([, , value]) => value),
      preference: Float64Array.from(ranks, (rank) => rank + 1),
      priority: Float64Array.from(rows, ([d]) => priorities[d]!),
      shared: Uint8Array.from(rows, ([, g]) => isShared[g]!),
    }
    compare(proposals, Float64Array.of(0.3, 0.5, 0.9), `problem ${number}`)
  }
})

test('a chain in which each detection pushes the next one on', () => {
  // Detection d prefers truth d - 1, which the one before has taken, and then truth d.
  const count = 40
  const rows = Array.from({ length: count }, (_, d) =>
    d === 0
      ? [[0, 0]]
      : [
          [d, d - 1],
          [d, d],
        ],
  ).flat()
  const proposals: Proposals = {
    ...{ detections: count, truths: count },
    detection: Int32Array.from(rows, ([d]) => d!),
    truth: Int32Array.from(rows, ([, g]) => g!),
    overlap: new Float64Array(rows.length).fill(1),
    preference: Float64Array.from(rows, ([d, g]) => 2 * count + d! - 2 * g!),
    priority: Float64Array.from(rows, ([d]) => count - d!),
    shared: new Uint8Array(rows.length),
  }
  compare(proposals, Float64Array.of(0.5), 'chain')
})
