// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('train')
0 && (module.exports = {
  DivergedError, VALIDATION_FILE, averageDecay, averageSchema, bestRow, checkpointSchema, createBatchDetector,
  createPredictor, createSlots, createStep, curveSchema, decodeSafetensors, encodeSafetensors, findPlateau,
  globalNorm, learningRate, loadCheckpoint, loaderOptions, predict, removeBest, removeLabels, saveCheckpoint,
  scheduleSchema, sgdSchema, stageOf, train, validationRowSchema, validationSchema, warmUpSchema,
  withoutTraining,
})
