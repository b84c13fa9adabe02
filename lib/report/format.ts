/** Numbers as the report writes them. */
import type { Latency } from '../base'
import type { Interval, PairedDifference, StudyLatency } from '../study'

const MINUS = '\u2212'

/** An average precision: 0.731. */
export function ap(value: number | null | undefined): string {
  return value === undefined || value === null || !Number.isFinite(value) ? '–' : value.toFixed(3)
}

/** An average precision with its interval: 0.731 [0.720, 0.742]. */
export function apInterval(value: Interval | undefined): string {
  return value ? `${ap(value.value)} [${ap(value.lower)}, ${ap(value.upper)}]` : '–'
}

/** A difference in points (hundredths): +1.03. */
export function points(difference: number): string {
  return inPoints(difference, 2)
}

function inPoints(difference: number, digits: number): string {
  const text = Math.abs(100 * difference).toFixed(digits)
  return Number(text) === 0 ? text : `${difference > 0 ? '+' : MINUS}${text}`
}

/** A difference with its interval, in points: +1.03 [−0.20, +2.21]. */
export function pointsInterval(
  value: Pick<PairedDifference, 'difference' | 'lower' | 'upper'> | undefined,
  { digits = 2 }: { readonly digits?: number } = {},
): string {
  if (!value) return '–'
  const [middle, lower, upper] = [value.difference, value.lower, value.upper].map((x) => inPoints(x, digits))
  return `${middle} [${lower}, ${upper}]`
}

/** Three or four digits and a unit: 136.7 M, 8.453 G. */
export function count(value: number): string {
  for (const [unit, size] of [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(4)} ${unit}`
  }
  return String(value)
}

/** Three digits and a unit of powers of 1000: 3.67 MB. */
export function bytes(value: number): string {
  return value >= 1e9 ? `${(value / 1e9).toPrecision(3)} GB` : `${(value / 1e6).toPrecision(3)} MB`
}

/** 1 training seed, 3 training seeds; 2 of 3 training seeds where some are missing; "models as they are" without any. */
export function trainingSeeds(number: number, planned = number): string {
  if (planned === 0) return 'models as they are'
  const of = planned > number ? `${number} of ${planned}` : String(number)
  return `${of} training seed${of === '1' ? '' : 's'}`
}

/** A share as "46.2 %"; a dash where there is none. */
export function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`
}

/** A share with its interval: 3.2 % [2.1 %, 4.4 %]. */
export function shareInterval({ value, lower, upper }: Interval): string {
  return `${percent(value)} [${percent(lower)}, ${percent(upper)}]`
}

/** "2.34 (2.61)": the median with the 95th percentile. */
export function milliseconds(latency: Latency | undefined): string {
  return latency ? `${latency.median.toPrecision(3)} (${latency.p95.toPrecision(3)})` : '–'
}

/** How milliseconds a frame were measured. */
export function describeLatency({
  machine,
  precision,
  frames,
  beside,
}: Omit<StudyLatency, 'format' | 'models' | 'arms'>): string {
  const quiet = beside < 0.1
  return (
    `median and 95th percentile of ${frames} frames one after another, the models in turns, from pixels to boxes, on one thread of ` +
    `${machine.name} in ${precision}; ` +
    (quiet
      ? 'nothing else ran meanwhile'
      : `other programs kept ${beside.toFixed(1)} of ${machine.cores} cores busy meanwhile, so the times are too long`)
  )
}

/** 42 s, 3 min 5 s, 2 h 4 min. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Two or three significant digits, for weights and ratios. */
export function significant(value: number): string {
  return value === 0 ? '0' : Number(value.toPrecision(3)).toString().replace('-', MINUS)
}

/** First twelve letters of a hash: enough to find it. */
export function short(hash: string): string {
  return hash.slice(0, 12)
}
