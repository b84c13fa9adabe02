export { type CollectOptions, collectStudy } from './collect'
export {
  differencesFigure,
  gammaHistogramFigure,
  gradientsFigure,
  type LoggedRun,
  lambdaFigure,
  lossComparisonFigure,
  lossFigure,
  methodsFigure,
  paretoFigure,
  perClassFigure,
  prCurveFigure,
  thresholdFigure,
} from './figures'
export { type CellMapOptions, type CellMapRow, cellMapsFigure } from './figures/cell-maps'
export * as format from './format'
export { type LogRow, readLog } from './log'
export { drawOutcome, imageScores, mostChanged, type OutcomeOptions } from './outcome'
export {
  batchImage,
  type CellMap,
  checkMethod,
  gradientMaps,
  imageUrl,
  objectnessMaps,
  openProbe,
  type Probe,
  type ProbeOptions,
  shareWhere,
} from './probe'
export * from './summary'
export * from './tables'
