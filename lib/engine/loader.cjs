/**
 * What a process that computes is started with (--require): its threads, tfjs, and then the loader for TypeScript. The loader
 * would look into every file of tfjs for what is not JavaScript and keep its source maps, 0.2 s and 50 MiB a process.
 */
'use strict'

require('./threads.cjs')
try {
  require('@tensorflow/tfjs-node-gpu')
} catch {
  // Who asks for it next gets the error; some commands do not, or explain it.
}
require('tsx/cjs')
require('./pages.ts').giveBackPages()
