// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('detector')
0 && (module.exports = {
  ACTIVATIONS, BATCH_NORM_EPSILON, BLOCKS, DECODE_DEFAULTS, Detector, IMAGES, LARGEST_LOG_SIZE, LOWEST,
  PUBLISHED_OPTIONS, SLOPE, STUDENT_WIDTHS, TEACHER_WIDTHS, activate, checkNetwork, coarsestStride, complexity,
  convolutionsOf, countNumbers, darknet21, darknet21Schema, decodeScale, decodeWeights, detect, detectPlain,
  drawNetwork, encodeWeights, featureOfHead, fromDarknet, headsOf, initialWeights, interpret, isDepthwise,
  layerMacs, layerParameters, layersOf, logitLayers, maxPool, networkCfg, networkSchema, networkText, parseCfg,
  poolWindows, readDarknet, scaledWidths, selectClasses, shapesOf, sketchNetwork, sourcesOf, summary,
  toDarknet, weightShapes, withClasses, withWidths, yolov3, yolov3Spp, yolov3Tiny,
})
