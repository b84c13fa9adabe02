// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('data')
0 && (module.exports = {
  DatasetError, FORMATS, IMAGE_MODES, PUBLISHED_AUGMENTATION, SCENE_CLASSES, WRITTEN_FORMATS, augmentSchema,
  carveValidation, checkDataset, classLines, countBoxes, createLoader, cropRegion, describeAccount,
  describeLost, describeProblem, encodePng, fillsLine, fitAnchors, flaggedBoxes, formatAnnotations,
  generateScenes, givenPath, hashDataset, loaderSchema, lostBoxes, openDataset, parseAnnotations,
  readClassNames, readImage, readImageSize, readSampleImage, renderScene, scenesSchema, splitOfName,
  strongSchema, studyLimits, tabulateClasses, toImage, toInput, unitValues, writeDataset,
})
