// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('deploy')
0 && (module.exports = {
  FILE_DEFAULTS, FILE_FORMATS, HEADS, PIXELS, PRECISIONS, PROOF_BOUNDS, RUNTIME, RUNTIMES, SHIPPED_BENCHMARK,
  Session, benchmark, benchmarkOf, benchmarkSchema, bestWithin, detectionsIn, exportModel, formatOf,
  formatOfFile, isInstalled, notInstalled, paretoFront, predictWith, prove, provingRuntime, readBenchmark,
  readMetadata, shippedBenchmark, sizeOf, timeLayers, writeModel,
})
