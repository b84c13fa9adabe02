// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('base')
0 && (module.exports = {
  DamagedError, InterruptedError, MOST_DEPTH, Random, TooLargeError, YamlError, abortCells, appendLines,
  assigned, beginCell, cellOf, changesBetween, columnsOf, complaintsOf, csvCell, escapeHtml, escapeMarkdown,
  escapePlotly, evenRows, expectFile, expectHash, expectNewFolder, forTerminal, html, inScript,
  interruptSignal, interrupted, isInterrupt, isNumeric, isSealed, isWarning, joinMarkdown, jsonErrorAt, jsonOf,
  keyOf, latencyFrom, lineAt, lockFolder, mapLimited, markdown, markdownCode, oneLine, pageStyle,
  parseDocument, parseFinite, parseYamlText, pathInside, plotlyFigure, readCached, readDocument, readJson,
  readSealed, readText, readVariant, readWhole, readWholeLater, readYaml, recordOf, removeLeft, renderCsv,
  renderTable, sha256, spaceError, syncFolder, temporaryFolder, temporaryName, throwIfInterrupted, timeInTurns,
  trusted, unreadable, visible, warn, watchFolder, wholeLines, withoutMail, writeAtomically, writeCached,
  writeSealed, writeWholeFolder,
})
