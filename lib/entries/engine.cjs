// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('engine')
0 && (module.exports = {
  ATTR, DTYPE, Float64Device, GRAPH_REVISION, TF32_CAPABILITY, THREADS, assignJoined, attribute,
  batchNormTraining, beforeOperations, biasAdd, compile, conv2d, conv2dTranspose, describeTensor, deviceInfo,
  execute, firstOutput, freeArrays, gatherRows, groupedConv2d, inFloat64, joined, keyOf, l2Loss, leakyRelu,
  lookUp, nativeBackend, nonMaxSuppression, pixelTensor, placeholder, savedModel, scoped, softmaxDivergence,
  supportsPrecision, tf, topK, unitPixels, upsampleNearest,
})
