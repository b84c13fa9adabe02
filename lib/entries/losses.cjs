// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('losses')
0 && (module.exports = {
  METHODS, METHOD_NAMES, PASSING_THRESHOLD, PUBLISHED, SEED_ASSIGN, SEED_LOSS, TARGET_CHANNELS, assignSchema,
  assignTargets, channelKd, checkDistillation, classKd, connect, connectingShape, createVariables, dist,
  distillationLoss, featureCosine, featureMse, gradientNorms, lambdaForRatio, lookUpTargets, lossSchema,
  maskedClassKd, methodNamed, methodWeights, objectnessMse, outputKd, passingMask, passingShare,
  scheduleFactor, targetInputs, targetTensors, termScheduleSchema, thresholdSchema, yoloLoss,
})
