/** Where the default profile's time goes: read from the metrics of finished trials, nothing is run. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { FILES, type Metrics, metricsSchema, readTrials } from '../../lib/trial'
import { root } from '../../lib/workbench/project'
import type { Answer, StageRow } from './protocol'

interface Span {
  readonly metrics: Metrics
  /** Milliseconds since the epoch; undefined for shipped metrics, whose trial ran elsewhere. */
  readonly from: number | undefined
  readonly to: number
}

/**
 * Sums by kind of trial. `training` and `evaluating` are seconds of computation, one thread each where trials ran side
 * by side; `wall` is the length of the union of [start, end] of the stage's trials (0 for shipped ones). A trial that
 * was interrupted counts from its last start.
 */
export function readStages(runs: string, shipped: string): Answer<'stages'> {
  const own = readTrials(join(runs, 'trials')).map(
    ({ folder, metrics }): Span => ({
      metrics,
      from: statSync(join(folder, FILES.config)).mtimeMs,
      to: statSync(join(folder, FILES.metrics)).mtimeMs,
    }),
  )
  const files = existsSync(shipped)
    ? readdirSync(shipped).filter((name) => name.endsWith('.metrics.json'))
    : []
  const others = files.map((name): Span => {
    const metrics = metricsSchema.parse(JSON.parse(readFileSync(join(shipped, name), 'utf8')))
    return { metrics, from: undefined, to: 0 }
  })
  const kinds = (spans: readonly Span[]) => [...new Set(spans.map(({ metrics }) => metrics.kind))]
  const rows = [
    ...kinds(others).map((kind) => rowOf(`${kind} (shipped)`, kind, others)),
    ...kinds(own).map((kind) => rowOf(kind, kind, own)),
    ...(own.length > 0 ? [{ ...rowOf('all trials here', undefined, own) }] : []),
  ]
  // The result is kept in the repository, where a checkout's path means nothing.
  const found = `${own.length > 0 ? own.length : 'no'} finished trials in ${relative(root, runs)}`
  return { found: `${found}, ${others.length} shipped metrics`, rows }
}

function rowOf(stage: string, kind: string | undefined, all: readonly Span[]): StageRow {
  const spans = all.filter(({ metrics }) => kind === undefined || metrics.kind === kind)
  const sum = (of: (metrics: Metrics) => number) =>
    spans.reduce((total, { metrics }) => total + of(metrics), 0)
  return {
    stage,
    trials: spans.length,
    training: sum(({ training }) => training?.seconds ?? 0),
    evaluating: sum(({ evaluation }) => evaluation.secondsPerImage * evaluation.images),
    wall: union(spans.flatMap(({ from, to }) => (from === undefined ? [] : [[from, to] as const]))) / 1000,
  }
}

/** Length of a union of intervals. */
export function union(intervals: readonly (readonly [number, number])[]): number {
  let [length, covered] = [0, Number.NEGATIVE_INFINITY]
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    length += Math.max(0, to - Math.max(from, covered))
    covered = Math.max(covered, to)
  }
  return length
}
