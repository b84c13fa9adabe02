// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('evaluate')
0 && (module.exports = {
  COCO_AREA_RANGES, COCO_IOU_THRESHOLDS, COCO_NAMES, FALSE_POSITIVE, IGNORED, INTERPOLATIONS, MISTAKE_KINDS,
  TRUE_POSITIVE, bestF1, boxesOfImage, bySize, classApFromTable, confusionMatrix, detectionsOf, doubts,
  drawDetections, evaluateCoco, evaluateDetections, evaluateVoc, matchTable, meanApFromTable, mistakes,
  precisionEnvelope, precisionRecall, readEvaluation, truthsOf, vocAtIous, worstImages,
})
