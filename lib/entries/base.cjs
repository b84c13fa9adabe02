// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('base')
0 && (module.exports = {
  InterruptedError, Random, abortCells, assigned, beginCell, changesBetween, complaintsOf, interruptSignal,
  interrupted, isInterrupt, jsonErrorAt, jsonOf, keyOf, lineAt, lockFolder, mapLimited, parseDocument,
  readDocument, readJson, readSealed, readVariant, readYaml, sha256, throwIfInterrupted, unreadable,
  watchFolder, writeAtomically, writeSealed,
})
