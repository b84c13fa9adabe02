/** The metrics for comparing models. Each is one entry of the list. */
import {
  type AreaRange,
  COCO_AREA_RANGES,
  cocoTables,
  type Detections,
  type MatchTable,
  type Truths,
  vocTables,
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
  /** How the match table is made: by VOC's rule at an IoU threshold, or by COCO's for objects of a range of area. */
  readonly rule: { readonly voc: number } | { readonly coco: AreaRange }
  /** Maximum resamples of its bootstrap: ten IoU thresholds cost ten times as much as one. */
  readonly resamples?: number
}

const voc = (name: string, iouThreshold: number): Metric => ({ name, rule: { voc: iouThreshold } })

const coco = (name: string, areaRange: AreaRange): Metric => ({
  name,
  rule: { coco: areaRange },
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
  return metricTables(found, [metric]).get(metric)!
}

/** The match tables of several metrics: detections and truths are matched once for all metrics of a rule. */
export function metricTables(
  { truths, detections }: Found,
  metrics: readonly MetricName[],
): ReadonlyMap<MetricName, MatchTable> {
  const ofVoc: [MetricName, number][] = []
  const ofCoco: [MetricName, AreaRange][] = []
  for (const name of metrics) {
    const { rule }: Metric = METRICS[name]
    if ('voc' in rule) ofVoc.push([name, rule.voc])
    else ofCoco.push([name, rule.coco])
  }
  const tables = new Map<MetricName, MatchTable>()
  const add = (names: readonly (readonly [MetricName, unknown])[], made: readonly MatchTable[]) => {
    for (const [i, [name]] of names.entries()) tables.set(name, made[i]!)
  }
  if (ofVoc.length > 0)
    add(
      ofVoc,
      vocTables(
        truths,
        detections,
        ofVoc.map(([, iou]) => iou),
      ),
    )
  if (ofCoco.length > 0)
    add(
      ofCoco,
      cocoTables(
        truths,
        detections,
        ofCoco.map(([, range]) => range),
      ),
    )
  return tables
}
