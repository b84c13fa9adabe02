// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('base')
0 && (module.exports = {
  DamagedError, InterruptedError, Random, abortCells, appendLines, assigned, beginCell, changesBetween,
  complaintsOf, expectHash, interruptSignal, interrupted, isInterrupt, isSealed, isWarning, jsonErrorAt,
  jsonOf, keyOf, lineAt, lockFolder, mapLimited, parseDocument, parseFinite, readCached, readDocument,
  readJson, readSealed, readText, readVariant, readYaml, removeLeft, sha256, spaceError, syncFolder,
  temporaryFolder, temporaryName, throwIfInterrupted, unreadable, warn, watchFolder, wholeLines,
  writeAtomically, writeCached, writeSealed,
})
