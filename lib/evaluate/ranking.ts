import { inFloat64 } from '../engine'

/** Rows ordered by group; group g is order[start[g]] .. order[start[g + 1] - 1]. */
export interface Groups {
  readonly order: Int32Array
  readonly start: Int32Array
}

/**
 * Indices that sort the values in descending order; equal values keep their order (0 equals -0). Sorts on the device,
 * in double precision. Values must not be NaN.
 */
export function descendingOrder(values: Float64Array): Int32Array {
  if (values.length === 0) return new Int32Array(0)
  const positiveZeros = values.map((value) => value + 0) // -0 + 0 = 0
  return inFloat64((device) => device.readIndices(device.descending(device.upload(positiveZeros))))
}

/** Sorts rows, given in `order`, by their key in 0 .. count - 1; rows with equal keys keep their order. */
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
