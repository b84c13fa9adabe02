/**
 * Preloaded (--require) by every process that computes: sets the number of threads, loads tfjs, then the TypeScript loader.
 * tfjs comes first, because the loader would scan each of its files and keep their source maps: 0.2 s and 50 MiB a process.
 */
'use strict'

// TensorFlow reads these once, on loading. Without them it takes all cores.
const threads = process.env.WORKBOOK_THREADS
if (threads !== undefined) {
  if (!/^[1-9]\d*$/.test(threads))
    throw new Error(`WORKBOOK_THREADS: expected a number of threads, found "${threads}"`)
  for (const name of ['OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS'])
    process.env[name] = threads
}
try {
  require('@tensorflow/tfjs-node-gpu')
} catch {
  // The next one to require it gets the error; some commands do not need it, or explain it.
}
require('tsx/cjs/api').register()
