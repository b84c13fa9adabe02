// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('data')
0 && (module.exports = {
  DatasetError, FORMATS, PUBLISHED_AUGMENTATION, SCENE_CLASSES, augmentSchema, carveValidation, checkDataset,
  countBoxes, createLoader, cropRegion, describeProblem, encodePng, fitAnchors, flaggedBoxes,
  formatAnnotations, generateScenes, hashDataset, loaderSchema, openDataset, parseAnnotations, readAnnotations,
  readImage, readImageSize, renderScene, scenesSchema, strongSchema, toImage, toInput, writeAnnotations,
})
