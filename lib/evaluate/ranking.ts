/** Rows in the order of their group; group g is order[start[g]] .. order[start[g + 1] - 1]. */
export interface Groups {
  readonly order: Int32Array
  readonly start: Int32Array
}

/** Low bit and width of the six digits that cover the two 32-bit words of a double. */
const DIGITS = [
  { word: 0, shift: 0, mask: 0x7ff },
  { word: 0, shift: 11, mask: 0x7ff },
  { word: 0, shift: 22, mask: 0x3ff },
  { word: 1, shift: 0, mask: 0x7ff },
  { word: 1, shift: 11, mask: 0x7ff },
  { word: 1, shift: 22, mask: 0x3ff },
] as const

/**
 * Indices that put the values in descending order; equal values keep their order (0 equals -0).
 * A radix sort on the bits of the doubles: exact, stable and linear, where a comparison sort of
 * half a million scores would be the slowest part of the evaluation. Values must not be NaN.
 */
export function descendingOrder(values: Float64Array): Int32Array {
  const count = values.length
  const words = keysOfDescending(values)
  const histogram = new Int32Array(2048)
  let order = indices(count)
  let next: Int32Array = new Int32Array(count)
  for (const { word, shift, mask } of DIGITS) {
    histogram.fill(0)
    for (let i = 0; i < count; i++) histogram[(words[2 * i + word]! >>> shift) & mask]!++
    if (histogram.includes(count)) continue // all values share this digit
    let sum = 0
    for (let digit = 0; digit <= mask; digit++) {
      const size = histogram[digit]!
      histogram[digit] = sum
      sum += size
    }
    for (let i = 0; i < count; i++) {
      const row = order[i]!
      next[histogram[(words[2 * row + word]! >>> shift) & mask]!++] = row
    }
    const filled = next
    next = order
    order = filled
  }
  return order
}

/** Bit patterns whose order as unsigned integers is the descending order of the doubles. */
function keysOfDescending(values: Float64Array): Uint32Array {
  const keys = new Float64Array(values.length)
  for (let i = 0; i < keys.length; i++) keys[i] = values[i]! + 0 // -0 + 0 = 0
  const words = new Uint32Array(keys.buffer)
  for (let i = 0; i < words.length; i += 2) {
    if (words[i + 1]! >>> 31 === 0) {
      words[i] = ~words[i]!
      words[i + 1] = words[i + 1]! ^ 0x7fffffff
    }
  }
  return words
}

/** Sorts rows, given in `order`, by their key in 0 .. count - 1; rows of one key keep their order. */
export function groupBy(order: Int32Array, key: Int32Array, count: number): Groups {
  const start = new Int32Array(count + 1)
  for (let i = 0; i < order.length; i++) start[key[order[i]!]! + 1]!++
  for (let group = 1; group <= count; group++) start[group] = start[group]! + start[group - 1]!
  const fill = start.slice(0, count)
  const grouped = new Int32Array(order.length)
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!
    grouped[fill[key[row]!]!++] = row
  }
  return { order: grouped, start }
}

/** The numbers 0 .. count - 1. */
export function indices(count: number): Int32Array {
  const order = new Int32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  return order
}
