/** The ground floor, used by every room: random numbers, files, documents with schemas, locks, interrupts. */
export { syncFolder, writeAtomically } from './atomic'
export {
  type Complaint,
  complaintsOf,
  jsonErrorAt,
  jsonOf,
  keyOf,
  lineAt,
  MOST_DEPTH,
  parseDocument,
  parseFinite,
  readDocument,
  readJson,
  readText,
  readYaml,
  recordOf,
  type Schema,
  type Wording,
} from './document'
export {
  csvCell,
  escapeHtml,
  escapeMarkdown,
  escapePlotly,
  forTerminal,
  joinMarkdown,
  type Markdown,
  type MarkdownValue,
  markdown,
  markdownCode,
  oneLine,
  visible,
  withoutMail,
} from './escape'
export { sha256 } from './hash'
export { pathInside } from './inside'
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
export { type Html, html, inScript, trusted } from './page/html'
export { pageStyle } from './page/style'
export { cellOf, columnsOf, evenRows, isNumeric, renderCsv, renderTable, type TableRow } from './page/table'
export { type PlainFigure, plotlyFigure } from './plotly'
export { Random } from './random'
export { expectFile, readWhole, readWholeLater, TooLargeError, unreadable } from './read'
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
export { type Latency, latencyFrom, type TimingOptions, timeInTurns } from './timing'
export { assigned, type Change, changesBetween, readVariant, type Variant } from './variant'
export { isWarning, warn } from './warn'
export { expectNewFolder, writeWholeFolder } from './whole-folder'
export { parseYamlText, YamlError, type YamlText } from './yaml'
