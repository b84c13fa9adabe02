// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('quantise')
0 && (module.exports = {
  QuantisedDetector, TARGETS, calibrate, calibrationOf, checkPlannable, detectorOf, fakeQuantise,
  fakeQuantiseKernel, gridOf, planOf, quantisationSchema, quantiseSchema,
})
