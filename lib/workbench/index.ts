export { joinMarkdown, type Markdown, markdown, markdownCode } from '../base/escape'
export { InterruptedError, interrupted, interruptSignal, throwIfInterrupted } from '../base/interrupt'
export {
  type Columns,
  inNotebook,
  type MimeBundle,
  publish,
  showHtml,
  showImage,
  showMarkdown,
  showPlot,
  showTable,
  type TableOptions,
  type TableSource,
} from './display'
export {
  busiestImage,
  type MethodChapter,
  type MethodResult,
  methodVerdict,
  openMethod,
  runMethod,
  showBeforeAndAfter,
  showLosses,
  showMethod,
  showMethodTable,
  showPrecision,
  showPull,
  showScale,
  tryMethod,
} from './method'
export { parameter } from './parameter'
export { type Picture, showGallery } from './pictures'
export { type ProgressBar, showProgress } from './progress'
export { describeTrial, runTrials, tryTrials } from './run-trials'
export { showChapters } from './show-chapters'
export { openStudy, prepareModels } from './study'
export { agree, verify } from './verify'
