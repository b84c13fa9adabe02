// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('trial')
0 && (module.exports = {
  FILES, SHIPPED, TASK, TrialWorker, applyLabels, checkAlike, checkPrunable, createDistillation,
  describeFailure, describeRef, distilledSteps, failureOf, findFailure, findModel, findTrial, forgetFailure,
  forgetFailures, forgetPeak, givenFiles, hashesBeside, isDistilled, isSettled, labellingPasses, labelsSchema,
  lastLogRow, loadModel, loadShipped, measureLatencies, measuredSchema, metricsSchema, modelFile, modelsOf,
  openSource, peakBytes, position, provenance, pruneSchema, pseudoSchema, readDetections, readFailure,
  readGammas, readGiven, readLog, readLogFile, readMetricsFile, readPseudo, readTrial, readTrials,
  readValidation, readValidationFile, readingSchema, recipeSchema, recordSplits, refTo, runTask, runTrial,
  seedSchema, shippedRef, storeGiven, taskSchema, teacherViewsSchema, teachersOf, termSchema, thinnedOut,
  trainingMacs, trialFolder, trialHash, trialSchema, unlabelledSchema, weightSchema, writeConfig,
  writeDetections, writeFailure, writeMetrics, writeTask,
})
