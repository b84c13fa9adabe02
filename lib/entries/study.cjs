// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('study')
0 && (module.exports = {
  CONTROL_NAMES, LEADING_METRICS, LEAST, MACS_SHARE, METRICS, METRIC_NAMES, RECORDS, SELECTION_RULE, SWEEPS,
  TrialsFailed, VERDICTS, announceTrials, armDifference, armOf, bootstrapOf, checkStudy, checkSweep,
  compareArms, compareSweep, createStudy, earlyTrials, evaluationOn, failedArms, failuresAmong, fewLabels,
  findArms, hasOwnTeachers, imageResamples, imagesNeeded, interval, isPrepared, jobPlanSchema, latencyOfArm,
  leastResamples, loadProfile, loadSweep, measuringTrial, metricTable, namedTrials, needsOf, notebookTrials,
  pairSeeds, pairedDifference, planArms, planJobs, planModels, preparationTrials, profileNames, profileSweep,
  readPreparation, readProfile, readSweepFile, readTables, recordName, resultsOf, seedResamples, seedsSchema,
  select, selectStudent, sharesInterval, shippedSweeps, shortOf, shortSweep, shortSweeps, shortTrials,
  stageSteps, studyLatency, sweepFileSchema, sweepNames, sweepPreparation, sweepSchema, sweepTrials,
  tableValue, termsOf, trialMemory, verdictOf, verdictText, withArmModels, withTerms, workersOf,
})
