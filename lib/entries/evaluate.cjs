// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('evaluate')
0 && (module.exports = {
  COCO_AREA_RANGES, COCO_IOU_THRESHOLDS, COCO_NAMES, MISTAKE_KINDS, bestF1, boxesOfImage, bySize,
  classApFromTable, confusionMatrix, detectionsOf, drawDetections, evaluateCoco, evaluateDetections,
  evaluateVoc, matchTable, meanApFromTable, mistakes, precisionEnvelope, precisionRecall, readEvaluation,
  truthsOf, worstImages,
})
