export {
  FALSE_POSITIVE,
  IGNORED,
  INTERPOLATIONS,
  type Interpolation,
  TRUE_POSITIVE,
} from './average-precision'
export {
  COCO_AREA_RANGES,
  COCO_IOU_THRESHOLDS,
  COCO_NAMES,
  type CocoClassResult,
  type CocoName,
  type CocoNumbers,
  type CocoOptions,
  type CocoResult,
  evaluateCoco,
} from './coco'
export { detectionsOf, type ScoredBox, truthsOf } from './columns'
export { agreementTable } from './comparison/counts'
export {
  byDisagreement,
  type ComparisonPage,
  colourKey,
  comparisonPage,
  disagreementOf,
  type Exhibit,
  exhibit,
} from './comparison/page'
export {
  type ComparedImage,
  type Meaning,
  meaningsOf,
  PANEL_COLOURS,
  type Panel,
  panelsOf,
} from './comparison/panels'
export { drawPanels, type PanelRow, type PictureOptions } from './comparison/picture'
export { type ConfusionMatrix, type ConfusionOptions, confusionMatrix } from './confusion'
export { bestF1, type PrecisionRecallCurve, precisionEnvelope, precisionRecall } from './curves'
export {
  type Agreement,
  type Disagreement,
  disagreement,
  matchBoxes,
  moreDisagreement,
  SAME_OBJECT,
} from './disagreement'
export { doubts } from './doubts'
export { boxesOfImage, type DrawOptions, drawDetections } from './draw'
export { type EvaluationData, type EvaluationFiles, readEvaluation } from './files'
export {
  classApFromTable,
  cocoTables,
  type MatchTable,
  type MatchTableOptions,
  matchTable,
  meanApFromTable,
  type TableApOptions,
  vocTables,
} from './match-table'
export { MISTAKE_KINDS, type Mistake, type MistakeKind } from './mistake-outcome'
export { type MistakesOptions, type MistakesResult, mistakes, worstImages } from './mistakes'
export { type DrawnBox, drawOverlay } from './overlay'
export {
  byClassAndSize,
  type Found,
  findTruths,
  type ObjectGroup,
  type OperatingPoint,
  sideOf,
} from './recall'
export { valuesOfResamples } from './resampling'
export { bySize, type SizeOptions, type SizeResult } from './size'
export { type ClassSummary, type EvaluationSummary, evaluateDetections } from './summary'
export type { AreaRange, Detections, Truths } from './types'
export {
  evaluateVoc,
  type VocAtIou,
  type VocClassResult,
  type VocOptions,
  type VocResult,
  vocAtIous,
} from './voc'
