// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('workbench')
0 && (module.exports = {
  InterruptedError, agree, describeTrial, inNotebook, interruptSignal, interrupted, joinMarkdown, markdown,
  markdownCode, openStudy, parameter, prepareModels, publish, runTrials, showGallery, showHtml, showImage,
  showMarkdown, showPlot, showProgress, showTable, throwIfInterrupted, tryTrials, verify,
})
