// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('slimming')
0 && (module.exports = {
  LATENCY_TOLERANCE, accuracyByRatio, gammaHistogram, gammaOf, latencyOf, leastBlocks, maskGroups,
  measureLatency, measureNetwork, planByLatency, planPruning, prunableGammas, prunableSchema, prune,
  pruningRulesSchema, pruningTargetSchema, readStructure, residualBlocks, sensitivityScan, sparsityStrength,
  structureSchema, withoutBlocks, writeStructure,
})
