// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('losses')
0 && (module.exports = {
  METHODS, PUBLISHED, TARGET_CHANNELS, adaptersNeeded, assignTargets, checkDistillation, classKd,
  createAdapters, distillationLoss, featureMse, gradientNorms, lambdaForRatio, maskedClassKd, methodWeights,
  objectnessMse, outputKd, passingMask, passingShare, scheduleFactor, targetTensors, yoloLoss,
})
