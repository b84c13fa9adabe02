// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('report')
0 && (module.exports = {
  PUBLISHED_CASE, PUBLISHED_STATEMENT, REPORT_FILES, VERDICT_WORDS, ablationTable, accuracyByRatioFigure,
  accuracyTable, answerOf, batchImage, budgetOf, buildReport, cellMapsFigure, checkMethod, choiceWithin,
  choices, collectStudy, collectSweep, comparedWith, computeFigure, costTable, dataTable, datasetPage,
  differenceOf, differenceTable, differencesFigure, differencesTable, drawOutcome, evaluatedRun, failedCell,
  failuresTable, featureMaps, figureAxis, figureLayout, figureLogAxis, findings, format, formatsFigure,
  formatsFindings, formatsPage, formatsSection, formatsTable, foundTable, gammaHistogramFigure,
  gammaHistoryFigure, gradientMaps, gradientTable, gradientsFigure, imageScores, imageUrl, isStudy,
  lambdaFigure, layerTable, leadingSplit, limits, lossComparisonFigure, lossFigure, methodsFigure,
  metricsTable, mostChanged, objectnessMaps, openProbe, overviewSchema, overviewTable, paretoFigure,
  payoffFigure, payoffTable, payoffs, perClassFigure, perClassTable, plannedSeeds, prCurveFigure,
  provenanceTable, publishedRows, readOverview, recallFigure, recallTable, renderHtml, renderMarkdown,
  reportNumbers, safetyOf, selectionTable, sensitivityFigure, shareWhere, shippedCurves, sideBySide, sizeTable,
  summarise, summariseTried, temperatureFigure, thresholdFigure, tiles, trainingTable, trialRows,
  validationFigure, verdictSentence, writeReport,
})
