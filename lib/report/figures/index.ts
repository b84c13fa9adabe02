export { gradientsFigure, lambdaFigure, temperatureFigure, thresholdFigure } from './ablations'
export { differencesFigure, methodsFigure, perClassFigure } from './arms'
export { computeFigure, paretoFigure } from './cost'
export { prCurveFigure } from './curves'
export { formatsFigure } from './deploy'
export { payoffFigure } from './payoff'
export { recallFigure } from './recall'
export { accuracyByRatioFigure, sensitivityFigure } from './slimming'
export type { Figure } from './style'
export {
  type EvaluatedRun,
  gammaHistogramFigure,
  gammaHistoryFigure,
  type LoggedRun,
  lossComparisonFigure,
  lossFigure,
  validationFigure,
} from './training'
