/**
 * What a process that computes is started with (--require): its number of threads, tfjs, and then the loader for TypeScript.
 * The loader would look into every file of tfjs for what is not JavaScript and keep its source maps, 0.2 s and 50 MiB a process.
 */
'use strict'

// TensorFlow reads these once, when it is loaded. Without them it takes all cores.
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
  // Who asks for it next gets the error; some commands do not, or explain it.
}
require('tsx/cjs/api').register()
