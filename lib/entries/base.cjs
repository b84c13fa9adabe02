// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('base')
0 && (module.exports = {
  DamagedError, InterruptedError, MOST_DEPTH, Random, TooLargeError, YamlError, abortCells, appendLines,
  assigned, beginCell, changesBetween, complaintsOf, csvCell, escapeHtml, escapeMarkdown, escapePlotly,
  expectFile, expectHash, forTerminal, interruptSignal, interrupted, isInterrupt, isSealed, isWarning,
  joinMarkdown, jsonErrorAt, jsonOf, keyOf, lineAt, lockFolder, mapLimited, markdown, markdownCode, oneLine,
  parseDocument, parseFinite, parseYamlText, plotlyFigure, readCached, readDocument, readJson, readSealed,
  readText, readVariant, readWhole, readWholeLater, readYaml, recordOf, removeLeft, sha256, spaceError,
  syncFolder, temporaryFolder, temporaryName, throwIfInterrupted, unreadable, visible, warn, watchFolder,
  wholeLines, writeAtomically, writeCached, writeSealed,
})
