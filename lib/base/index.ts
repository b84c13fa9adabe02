/** The ground floor, used by every room: random numbers, files, documents with schemas, locks, interrupts. */
export { syncFolder, writeAtomically } from './atomic'
export {
  type Complaint,
  complaintsOf,
  jsonErrorAt,
  jsonOf,
  keyOf,
  lineAt,
  parseDocument,
  parseFinite,
  readDocument,
  readJson,
  readText,
  readYaml,
  type Schema,
  unreadable,
  type Wording,
} from './document'
export { sha256 } from './hash'
export {
  abortCells,
  beginCell,
  InterruptedError,
  interrupted,
  interruptSignal,
  isInterrupt,
  throwIfInterrupted,
} from './interrupt'
export { mapLimited } from './limited'
export { appendLines, wholeLines } from './lines'
export { lockFolder, watchFolder } from './lock'
export { Random } from './random'
export {
  DamagedError,
  expectHash,
  isSealed,
  readCached,
  readSealed,
  writeCached,
  writeSealed,
} from './sealed'
export { spaceError } from './space'
export { removeLeft, temporaryFolder, temporaryName } from './temporary'
export { assigned, type Change, changesBetween, readVariant, type Variant } from './variant'
export { isWarning, warn } from './warn'
