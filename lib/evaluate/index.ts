export type { Interpolation } from './average-precision'
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
export type { AreaRange } from './coco-matching'
export { detectionsOf, type ScoredBox, truthsOf } from './columns'
export { bestF1, type PrecisionRecallCurve, precisionEnvelope, precisionRecall } from './curves'
export { coverage, iou } from './iou'
export {
  classApFromTable,
  type MatchTable,
  type MatchTableOptions,
  matchTable,
  meanApFromTable,
  type TableApOptions,
} from './match-table'
export type { Detections, Truths } from './types'
export { evaluateVoc, type VocClassResult, type VocOptions, type VocResult } from './voc'
