// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('study')
0 && (module.exports = {
  CONTROL_NAMES, LEADING_METRICS, MACS_SHARE, METRICS, METRIC_NAMES, SELECTION_RULE, SHORT_SWEEPS, SWEEPS,
  announceTrials, armDifference, armOf, bootstrapOf, compareArms, compareSweep, createStudy, evaluationOn,
  findArms, imageResamples, imagesNeeded, interval, isPrepared, jobPlanSchema, loadProfile, loadSweep,
  measuringTrial, metricTable, namedTrials, needsOf, notebookTrials, pairSeeds, pairedDifference, planArms,
  planJobs, planModels, preparationTrials, profileNames, profileSweep, readPreparation, readProfile,
  readSweepFile, readTables, seedResamples, select, selectStudent, shippedSweeps, shortSweep, shortTrials,
  stageSteps, sweepFileSchema, sweepNames, sweepPreparation, sweepSchema, sweepTrials, tableValue, termsOf,
  trialMemory, withTerms, workersOf,
})
