/** IEEE half precision, which JavaScript of Node 20 has no array for. */

const bits = new Float32Array(1)
const asInteger = new Uint32Array(bits.buffer)

/**
 * Float32 as float16, rounded to the nearest, halves to the even one.
 *
 * @throws RangeError for a finite value that is too large, above 65504
 */
export function toFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, half)
}

function half(value: number): number {
  bits[0] = value
  const word = asInteger[0]!
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
  // 65520 is the first that rounds past the largest.
  if (magnitude >= 0x477ff000) throw new RangeError(`float16: expected at most 65504, found ${value}`)
  if (magnitude >= 0x38800000) return sign | roundedShift(magnitude - 0x38000000, 13)
  // Below 2^-14 the mantissa counts multiples of 2^-24.
  const exponent = magnitude >>> 23
  if (exponent < 102) return sign
  return sign | roundedShift((magnitude & 0x7fffff) | 0x800000, 126 - exponent)
}

function roundedShift(value: number, shift: number): number {
  const rest = value & ((1 << shift) - 1)
  const middle = 1 << (shift - 1)
  const down = value >>> shift
  return rest > middle || (rest === middle && (down & 1) === 1) ? down + 1 : down
}
