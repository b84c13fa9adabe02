// Written by `npx workbook entries`: the names are for Node, which reads them before anything runs.
'use strict'
module.exports = require('../engine/entry.cjs').room('report')
0 && (module.exports = {
  PUBLISHED_CASE, PUBLISHED_STATEMENT, REPORT_FILES, ablationTable, accuracyByRatioFigure, accuracyTable,
  batchImage, buildReport, cellMapsFigure, checkMethod, collectStudy, columnsOf, computeFigure, costTable,
  dataTable, differenceTable, differencesFigure, drawOutcome, featureMaps, figureAxis, figureLayout,
  figureLogAxis, findings, format, gammaHistogramFigure, gammaHistoryFigure, gradientMaps, gradientTable,
  gradientsFigure, imageScores, imageUrl, lambdaFigure, leadingSplit, limits, lossComparisonFigure, lossFigure,
  methodsFigure, mostChanged, objectnessMaps, openProbe, overviewTable, paretoFigure, perClassFigure,
  perClassTable, prCurveFigure, provenanceTable, publishedRows, readOverview, renderCsv, renderHtml,
  renderJson, renderMarkdown, selectionTable, sensitivityFigure, shareWhere, sizeTable, summariseStudy,
  summariseTried, sweepDifferenceTable, sweepFigure, sweepTable, sweepVerdict, termsOf, thresholdFigure,
  trialTable, writeReport,
})
