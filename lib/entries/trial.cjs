// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('trial')
0 && (module.exports = {
  FILES, METHOD_NAMES, SHIPPED, TASK, TrialWorker, applyLabels, createDistillation, describeRef,
  distilledSteps, findModel, findTrial, forgetPeak, isDistilled, labelsSchema, lastLogRow, loadModel,
  loadShipped, metricsSchema, modelsOf, openSource, peakBytes, position, provenance, pruneSchema,
  readDetections, readGammas, readLog, readLogFile, readTrial, readTrials, readValidation, recipeSchema,
  recordSplits, refTo, runTask, runTrial, shippedRef, taskSchema, termSchema, thinnedOut, thresholdSchema,
  trainingMacs, trialFolder, trialHash, trialSchema, unlabelledSchema, weightSchema, writeDetections,
  writeTask,
})
