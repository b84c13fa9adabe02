// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('evaluate')
0 && (module.exports = {
  COCO_AREA_RANGES, COCO_IOU_THRESHOLDS, COCO_NAMES, FALSE_POSITIVE, IGNORED, INTERPOLATIONS, MISTAKE_KINDS,
  PANEL_COLOURS, SAME_OBJECT, TRUE_POSITIVE, agreementTable, bestF1, boxesOfImage, byClassAndSize,
  byDisagreement, bySize, classApFromTable, cocoTables, colourKey, comparisonPage, confusionMatrix,
  detectionsOf, disagreement, disagreementOf, doubts, drawDetections, drawOverlay, drawPanels, evaluateCoco,
  evaluateDetections, evaluateVoc, exhibit, findTruths, matchBoxes, matchTable, meanApFromTable, meaningsOf,
  mistakes, moreDisagreement, panelsOf, precisionEnvelope, precisionRecall, readEvaluation, sideOf, truthsOf,
  valuesOfResamples, vocAtIous, vocTables, worstImages,
})
