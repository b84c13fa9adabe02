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
export { type Picture, showGallery } from './gallery'
export { parameter } from './parameter'
export { type ProgressBar, showProgress } from './progress'
export { describeTrial, openStudy, prepareModels, runTrials, tryTrials } from './study'
export { agree, verify } from './verify'
