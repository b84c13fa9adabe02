import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Sample } from '../../lib/data'
import { applyLabels } from '../../lib/trial'

const box = (label: number) => ({ x1: 0, y1: 0, x2: 10, y2: 10, label })
const samples: Sample[] = Array.from({ length: 400 }, (_, i) => ({
  id: `train/${i}`,
  file: `/nowhere/${i}.png`,
  width: 20,
  height: 20,
  boxes: Array.from({ length: 5 }, (_, k) => box(k % 4)),
}))

describe('labels', () => {
  test('are left alone by default', () => {
    assert.deepEqual(applyLabels(samples, 4, {}), { labelled: samples, rest: [] })
  })

  test('of the given number of images stay, spread over the list, and the other images are returned separately', () => {
    const { labelled, rest } = applyLabels(samples, 4, { images: 30 })
    assert.equal(labelled.length, 30)
    const places = labelled.map((sample) => samples.indexOf(sample))
    for (const [i, place] of places.entries())
      assert.ok(Math.abs(place - ((i + 1) * 400) / 30) <= 1, `${place}`)
    assert.deepEqual(
      rest,
      samples.filter((sample) => !labelled.includes(sample)),
    )
    assert.throws(
      () => applyLabels(samples, 4, { images: 401 }),
      /at most the 400 training images, found 401/,
    )
  })

  test('are missing or wrong by the given fraction, the same every time, and more faults include the fewer', () => {
    const faults = { missing: 0.2, wrongClass: 0.3 }
    const { labelled } = applyLabels(samples, 4, faults)
    assert.deepEqual(applyLabels(samples, 4, faults).labelled, labelled)
    const kept = labelled.flatMap(({ boxes }) => boxes ?? [])
    // Of 2000 boxes: standard deviations 18 and 18.
    assert.ok(Math.abs(kept.length - 1600) < 90, String(kept.length))
    const { labelled: renamed } = applyLabels(samples, 4, { wrongClass: 0.3 })
    const wrong = renamed.flatMap(({ boxes }) => (boxes ?? []).map(({ label }, k) => label !== k % 4))
    const count = wrong.filter(Boolean).length
    assert.ok(Math.abs(count - 600) < 105, String(count))
    const { labelled: worse } = applyLabels(samples, 4, { wrongClass: 0.6 })
    const more = worse.flatMap(({ boxes }) => (boxes ?? []).map(({ label }, k) => label !== k % 4))
    assert.ok(wrong.every((is, i) => !is || more[i]))
  })
})
