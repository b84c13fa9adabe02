/** The metrics for comparing models. Each is one entry of the list. */
import {
  COCO_AREA_RANGES,
  COCO_IOU_THRESHOLDS,
  type Detections,
  type MatchTable,
  matchTable,
  type Truths,
} from '../evaluate'

/** Truths and detections of a split, as stored by an evaluation. */
export interface Found {
  readonly truths: Truths
  readonly detections: Detections
}

/** A metric: the mean over a match table's IoU thresholds and classes of average precision (see `tableValue`). */
export interface Metric {
  /** Its name in tables and figures. */
  readonly name: string
  /** The match table whose value the metric is. */
  readonly table: (found: Found) => MatchTable
  /** Maximum resamples of its bootstrap: ten IoU thresholds cost ten times as much as one. */
  readonly resamples?: number
}

const voc = (name: string, iouThreshold: number): Metric => ({
  name,
  table: ({ truths, detections }) =>
    matchTable(truths, detections, { rule: 'voc', iouThresholds: [iouThreshold] }),
})

const coco = (name: string, areaRange: (typeof COCO_AREA_RANGES)[number]): Metric => ({
  name,
  table: ({ truths, detections }) =>
    matchTable(truths, detections, { rule: 'coco', iouThresholds: COCO_IOU_THRESHOLDS, areaRange }),
  resamples: 200,
})

/**
 * The metrics by their names in stored results. `mAP50` and `mAP75` are VOC's all-point mAP at IoU 0.5 and 0.75;
 * the others are COCO's AP, the mean over IoU 0.5, 0.55 .. 0.95, for all objects and by size (sides of 32 and 96 pixels).
 */
export const METRICS = {
  mAP50: voc('mAP@0.5', 0.5),
  AP: coco('COCO AP', COCO_AREA_RANGES[0]),
  mAP75: voc('mAP@0.75', 0.75),
  APsmall: coco('COCO AP, small', COCO_AREA_RANGES[1]),
  APmedium: coco('COCO AP, medium', COCO_AREA_RANGES[2]),
  APlarge: coco('COCO AP, large', COCO_AREA_RANGES[3]),
} as const satisfies { readonly [name: string]: Metric }

/** Name of a metric. */
export type MetricName = keyof typeof METRICS

/** Names of the metrics, in the order of tables. */
export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[]

/** The two in every comparison's text: the published measure, and the one that counts how exactly boxes fit. */
export const LEADING_METRICS = ['mAP50', 'AP'] as const satisfies readonly MetricName[]

/** The match table whose value (see `tableValue`) is the metric. */
export function metricTable(found: Found, metric: MetricName = 'mAP50'): MatchTable {
  return METRICS[metric].table(found)
}
