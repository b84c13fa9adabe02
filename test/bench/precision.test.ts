import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allclose } from '../allclose'
import { type PrecisionRow, precisionVerdict } from './precision'

const row = (precision: PrecisionRow['precision'], mAP50: readonly number[]): PrecisionRow => ({
  precision,
  mAP50,
  AP: mAP50.map((value) => value / 2),
  seconds: mAP50.map(() => 1),
})

test("the means' difference is compared with the spread of the seeds in float32", () => {
  const rows = [row('float32', [0.5, 0.52, 0.51]), row('bfloat16', [0.52, 0.53, 0.51])]
  const { difference, spread, isWithin } = precisionVerdict({ rows }, 'bfloat16', 'mAP50')
  allclose([difference, spread], [0.01, 0.02], { atol: 1e-12 })
  assert.equal(isWithin, true)
  allclose(precisionVerdict({ rows }, 'bfloat16', 'AP').difference, 0.005, { atol: 1e-12 })
})

test('a difference as large as the spread, or a missing number, is not within it', () => {
  const apart = [row('float32', [0.5, 0.5]), row('bfloat16', [0.49, 0.5])]
  assert.equal(precisionVerdict({ rows: apart }, 'bfloat16', 'mAP50').isWithin, false)
  assert.equal(precisionVerdict({ rows: [row('float32', [0.5])] }, 'float16', 'mAP50').isWithin, false)
})
