/** How tests compare numbers that rounding may change. */
import assert from 'node:assert/strict'

/** A number, a list or typed array of them, or lists of such. */
export type Numbers = number | ArrayLike<number> | readonly Numbers[]

export interface Tolerance {
  /** Relative to the expected value's size. */
  readonly rtol?: number
  readonly atol?: number
  /** Names the values in the message. */
  readonly what?: string
}

interface Difference {
  readonly place: string
  readonly actual: number
  readonly expected: number
  readonly allowed: number
}

/**
 * Asserts |actual - expected| <= atol + rtol * |expected| for every number; tolerances default to 0. Infinity and NaN are
 * close only to themselves. If several numbers are too far apart, the message names the worst.
 */
export function allclose(actual: Numbers, expected: Numbers, tolerance: Tolerance): void {
  const { rtol = 0, atol = 0, what = 'values' } = tolerance
  let count = 0
  const far: Difference[] = []
  const compare = (a: Numbers | undefined, e: Numbers, place: string): void => {
    if (typeof a === 'number' && typeof e === 'number') {
      count++
      const allowed = atol + rtol * Math.abs(e)
      const isClose = Object.is(a, e) || a === e || (Number.isFinite(e) && Math.abs(a - e) <= allowed)
      if (!isClose) far.push({ place, actual: a, expected: e, allowed })
    } else if (typeof a === 'object' && typeof e === 'object') {
      assert.equal(a.length, e.length, `${what}${place}: number of elements`)
      for (let i = 0; i < e.length; i++) compare(a[i], e[i]!, `${place}[${i}]`)
    } else {
      assert.fail(`${what}${place}: expected ${describe(e)}, found ${describe(a)}`)
    }
  }
  compare(actual, expected, '')
  const worst = far.reduce<Difference | undefined>(
    (most, one) => (most && excess(most) >= excess(one) ? most : one),
    undefined,
  )
  if (!worst) return
  const difference = Math.abs(worst.actual - worst.expected)
  assert.fail(
    `${what}${worst.place}: expected ${worst.expected}, found ${worst.actual}; they differ by ${difference}, and ` +
      `${worst.allowed} is allowed (${far.length} of ${count} numbers are too far apart)`,
  )
}

/** The largest size among numbers, for tolerances where terms of that size cancel. */
export function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}

/** How far two numbers are beyond the tolerance; infinite if one is not a number. */
function excess({ actual, expected, allowed }: Difference): number {
  const over = Math.abs(actual - expected) - allowed
  return Number.isNaN(over) ? Number.POSITIVE_INFINITY : over
}

const describe = (value: Numbers | undefined): string =>
  typeof value === 'object' ? `a list of ${value.length}` : String(value)
