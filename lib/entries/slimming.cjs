// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('slimming')
0 && (module.exports = {
  accuracyByRatio, gammaHistogram, maskGroups, planPruning, prunableGammas, prune, pruningRulesSchema,
  pruningTargetSchema, readStructure, sensitivityScan, sparsityStrength, structureSchema, writeStructure,
})
