import { TARGET_CHANNELS, type Targets } from '../../lib/losses'
import { allclose, largest } from '../allclose'

/** Float32 values that the oracles store as base64. */
export function unpack(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

/** Values [n, h, w, anchors, 7] of every slot's target, of each scale, copied one by one. */
export function denseTargets({ scales, table }: Targets) {
  return scales.map(({ shape, index }) => {
    const data = new Float32Array(index.length * TARGET_CHANNELS)
    index.forEach((entry, slot) => {
      const from = entry * TARGET_CHANNELS
      data.set(table.subarray(from, from + TARGET_CHANNELS), slot * TARGET_CHANNELS)
    })
    return { shape: [...shape, TARGET_CHANNELS] as [number, number, number, number, number], data }
  })
}

/**
 * Asserts |actual - expected| <= 1e-5 * |expected| + 1e-6 * max |expected| for every element: 1e-5 relative, with the
 * rounding of float32 allowed for where terms of the largest element's size cancel.
 */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  relative = 1e-5,
): void {
  allclose(actual, expected, { rtol: relative, atol: 0.1 * relative * largest(expected), what })
}
