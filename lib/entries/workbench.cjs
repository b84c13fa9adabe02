// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('workbench')
0 && (module.exports = {
  InterruptedError, agree, busiestImage, describeTrial, inNotebook, interruptSignal, interrupted, joinMarkdown,
  markdown, markdownCode, methodVerdict, openMethod, openStudy, parameter, prepareModels, publish, runMethod,
  runTrials, showBeforeAndAfter, showChapters, showGallery, showHtml, showImage, showLosses, showMarkdown,
  showMethod, showMethodTable, showPlot, showPrecision, showProgress, showPull, showScale, showTable,
  throwIfInterrupted, tryMethod, tryTrials, verify,
})
