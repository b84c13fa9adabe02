/**
 * How a process that computes on the CPU uses its threads, where WORKBOOK_THREADS says how many it has; to be loaded before
 * TensorFlow.
 *
 * TensorFlow can share every operation among threads, and run several operations at a time. Two threads run whole operations
 * each, and graphs are cut in two lanes for them (lanes.ts): a training step is faster so. More threads, for which this has not
 * been measured, share every operation, as TensorFlow does it by itself.
 */
'use strict'

const LANES = 2

const given = process.env.WORKBOOK_THREADS
if (given !== undefined) {
  const threads = Number(given)
  if (!Number.isInteger(threads) || threads < 1)
    throw new Error(`WORKBOOK_THREADS: expected a number of threads, found "${given}"`)
  const shared = String(threads === LANES ? 1 : threads)
  process.env.OMP_NUM_THREADS = shared
  process.env.TF_NUM_INTRAOP_THREADS = shared
  process.env.TF_NUM_INTEROP_THREADS = given
}
