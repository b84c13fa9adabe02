// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('engine')
0 && (module.exports = {
  Float64Device, GRAPH_REVISION, TF32_CAPABILITY, THREADS, batchNormTraining, beforeOperations, biasAdd,
  compile, conv2d, conv2dTranspose, deviceInfo, gatherRows, groupedConv2d, inFloat64, leakyRelu, nativeBackend,
  nonMaxSuppression, scoped, softmaxDivergence, supportsPrecision, tf, topK, upsampleNearest,
})
