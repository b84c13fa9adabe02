// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('study')
0 && (module.exports = {
  CONTROL_NAMES, MACS_SHARE, SELECTION_RULE, SIDE_SWEEPS, SWEEPS, announceTrials, armDifference,
  compareWithReference, createStudy, findSweep, imageResamples, imagesNeeded, interval, jobPlanSchema,
  loadProfile, loadSweep, measured, methodOf, metricTable, namedTrials, pairedDifference, planJobs, planStudy,
  planSweep, profileNames, readPreparation, readReference, readSweepFile, readTables, referenceOf, runSweep,
  seedResamples, select, selectStudent, shippedSweeps, sideSweep, sideTrials, sweepFileSchema, sweepNames,
  sweepSchema, sweepTrials, tableValue, testTrial, withTerms, workbookTrials,
})
