export { type DatasetPage, datasetPage } from './dataset/page'
export {
  budgetOf,
  choices,
  choiceWithin,
  formatsFindings,
  formatsPage,
  formatsSection,
  formatsTable,
} from './deploy'
export * from './differences'
export type { Block, Section } from './document'
export {
  accuracyByRatioFigure,
  computeFigure,
  differencesFigure,
  type EvaluatedRun,
  formatsFigure,
  gammaHistogramFigure,
  gammaHistoryFigure,
  gradientsFigure,
  type LoggedRun,
  lambdaFigure,
  lossComparisonFigure,
  lossFigure,
  methodsFigure,
  paretoFigure,
  payoffFigure,
  perClassFigure,
  prCurveFigure,
  recallFigure,
  sensitivityFigure,
  temperatureFigure,
  thresholdFigure,
  validationFigure,
} from './figures'
export { type CellMapOptions, type CellMapRow, cellMapsFigure } from './figures/cell-maps'
export { axis as figureAxis, layout as figureLayout, logAxis as figureLogAxis } from './figures/style'
export { type Findings, findings, leadingSplit, limits } from './findings'
export * as format from './format'
export { layerTable } from './layers'
export { evaluatedRun, shippedCurves } from './learning'
export { renderMarkdown } from './markdown'
export { buildReport, type ReportModel } from './model'
export { drawOutcome, imageScores, mostChanged, type OutcomeOptions } from './outcome'
export { renderHtml } from './page'
export { type Answer, answerOf, type Payoff, payoffs, payoffTable } from './payoff'
export {
  batchImage,
  type CellMap,
  checkMethod,
  featureMaps,
  gradientMaps,
  imageUrl,
  objectnessMaps,
  openProbe,
  type Probe,
  type ProbeOptions,
  shareWhere,
} from './probe'
export { PUBLISHED_CASE, PUBLISHED_STATEMENT, publishedRows } from './published'
export {
  type FoundRow,
  type LostObject,
  type RecallRow,
  type Safety,
  safetyOf,
} from './safety'
export { type SideBySide, type SideBySideOptions, sideBySide } from './side-by-side'
export * from './summary'
export * from './tables'
export { type Tile, tiles } from './tiles'
export { overviewSchema, REPORT_FILES, readOverview, reportNumbers, writeReport } from './write'
