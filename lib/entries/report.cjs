// Written by `npx workbook entries`. Node reads the names before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('report')
0 && (module.exports = {
  PUBLISHED_CASE, PUBLISHED_STATEMENT, REPORT_FILES, VERDICT_WORDS, ablationTable, accuracyByRatioFigure,
  accuracyTable, answerOf, batchImage, buildReport, cellMapsFigure, cellOf, checkMethod, collectStudy,
  collectSweep, columnsOf, comparedWith, computeFigure, costTable, dataTable, datasetPage, differenceOf,
  differenceTable, differencesFigure, differencesTable, drawOutcome, failedCell, failuresTable, featureMaps,
  figureAxis, figureLayout, figureLogAxis, findings, format, formatsFigure, formatsFindings, formatsPage,
  formatsTable, gammaHistogramFigure, gammaHistoryFigure, gradientMaps, gradientTable, gradientsFigure,
  imageScores, imageUrl, isStudy, lambdaFigure, leadingSplit, limits, lossComparisonFigure, lossFigure,
  methodsFigure, metricsTable, mostChanged, objectnessMaps, openProbe, overviewSchema, overviewTable,
  paretoFigure, payoffFigure, payoffTable, payoffs, perClassFigure, perClassTable, plannedSeeds, prCurveFigure,
  provenanceTable, publishedRows, readOverview, renderHtml, renderMarkdown, reportNumbers, selectionTable,
  sensitivityFigure, shareWhere, sideBySide, sizeTable, summarise, summariseTried, thresholdFigure, tiles,
  trainingTable, trialRows, verdictSentence, writeReport,
})
