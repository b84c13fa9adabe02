export { gradientsFigure, lambdaFigure, thresholdFigure } from './ablations'
export { differencesFigure, methodsFigure, paretoFigure, perClassFigure } from './arms'
export { prCurveFigure } from './curves'
export type { Figure } from './style'
export {
  gammaHistogramFigure,
  gammaHistoryFigure,
  type LoggedRun,
  lossComparisonFigure,
  lossFigure,
} from './training'
