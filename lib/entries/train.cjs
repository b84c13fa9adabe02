// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('train')
0 && (module.exports = {
  createSlots, createStep, decodeSafetensors, encodeSafetensors, globalNorm, learningRate, loadCheckpoint,
  predict, saveCheckpoint, scheduleSchema, sgdSchema, train, warmUpSchema, withoutTraining, writeAtomically,
})
