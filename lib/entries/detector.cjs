// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('detector')
0 && (module.exports = {
  BATCH_NORM_EPSILON, BLOCKS, DARKNET_EPSILON, DECODE_DEFAULTS, DarknetNetwork, Detector, PUBLISHED_ANCHORS,
  SLOPE, STRIDES, STUDENT_WIDTHS, TEACHER_WIDTHS, complexity, convolutionsOf, countNumbers, decodeScale,
  decodeWeights, decodingOf, detect, detectorCfg, detectorSchema, drawNetwork, encodeWeights, fromDarknet,
  initialWeights, layerMacs, layerParameters, layersOf, parseCfg, publishedDetector, readDarknet,
  scaledDetector, sketchNetwork, summary, toDarknet, weightShapes, yolov3Cfg, yolov3SppCfg, yolov3TinyCfg,
})
