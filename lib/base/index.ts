/** The ground floor, used by every room: random numbers, files, documents with schemas, locks, interrupts. */
export { writeAtomically } from './atomic'
export {
  type Complaint,
  complaintsOf,
  jsonErrorAt,
  jsonOf,
  keyOf,
  lineAt,
  parseDocument,
  readDocument,
  readJson,
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
export { lockFolder, watchFolder } from './lock'
export { Random } from './random'
export { readSealed, writeSealed } from './sealed'
export { assigned, type Change, changesBetween, readVariant, type Variant } from './variant'
