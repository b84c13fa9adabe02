/** Figures of trainings and of weights: losses over steps, gammas. */
import { escapePlotly } from '../../base'
import type { ValidationRow } from '../../train'
import type { GammaRow, LogRow } from '../../trial'
import {
  axis,
  colourOf,
  type Figure,
  LEGEND_BESIDE,
  layout,
  lineNote,
  logAxis,
  NEUTRAL,
  verticalLine,
} from './style'

/** A training's log under its name. */
export interface LoggedRun {
  readonly name: string
  readonly rows: readonly LogRow[]
}

/** Names in a log that are not terms of the loss. */
const NOT_TERMS = new Set(['step', 'rate', 'imagesPerSecond', 'total', 'gradientNorm'])

/** Weighted terms of the loss over steps; distillation's are dashed. The first word of a name determines the colour. */
export function lossFigure({ name, rows }: LoggedRun): Figure {
  const terms = Object.keys(rows[0] ?? {}).filter((key) => !NOT_TERMS.has(key))
  const truth = terms.filter((term) => !term.includes('/'))
  return {
    data: ['total', ...terms].map((term) => ({
      type: 'scatter',
      mode: 'lines',
      name: term,
      x: rows.map(({ step }) => step),
      y: rows.map((row) => row[term]),
      line: {
        color:
          term === 'total'
            ? NEUTRAL
            : colourOf('', truth.includes(term) ? truth.indexOf(term) : terms.indexOf(term)),
        width: term === 'total' ? 2.5 : 1.5,
        dash: term.includes('/') ? 'dash' : 'solid',
      },
    })),
    layout: layout(`Loss terms of ${name}`, {
      xaxis: axis('step'),
      yaxis: logAxis('loss, weighted'),
      legend: LEGEND_BESIDE,
    }),
  }
}

/** The ground truth's and distillation's parts of the loss over steps, one colour per run. */
export function lossComparisonFigure(runs: readonly LoggedRun[]): Figure {
  const part = (row: LogRow, distillation: boolean) =>
    Object.entries(row).reduce(
      (sum, [key, value]) => (!NOT_TERMS.has(key) && key.includes('/') === distillation ? sum + value : sum),
      0,
    )
  const traces = runs.flatMap(({ name, rows }, index) =>
    [false, true].flatMap((distillation) => {
      const y = rows.map((row) => part(row, distillation))
      if (!y.some((value) => value > 0)) return []
      return [
        {
          type: 'scatter',
          mode: 'lines',
          name,
          legendgroup: String(index),
          showlegend: !distillation,
          x: rows.map(({ step }) => step),
          y,
          // Runs on the same images have nearly equal losses: the first is drawn as a broad line below the others.
          line: { color: colourOf(name, index), width: index === 0 && runs.length > 1 ? 4 : 1.5 },
          opacity: index === 0 && runs.length > 1 ? 0.45 : 1,
          hovertemplate: `${escapePlotly(name)}: step %{x}, %{y:.3g}<extra></extra>`,
          ...(distillation && { xaxis: 'x2', yaxis: 'y2' }),
        },
      ]
    }),
  )
  const distances = traces.flatMap(({ y, yaxis }) => (yaxis === 'y2' ? y : []))
  return {
    data: traces,
    layout: layout('Training loss: ground truth (left), distillation weighted with λ (right)', {
      grid: { rows: 1, columns: 2, pattern: 'independent', xgap: 0.2 },
      xaxis: axis('step'),
      yaxis: axis('ground-truth loss'),
      xaxis2: axis('step'),
      yaxis2: logAxis('distillation loss', distances),
      legend: LEGEND_BESIDE,
    }),
  }
}

/** A model's evaluations over the steps of its training. */
export interface EvaluatedRun {
  readonly name: string
  readonly rows: readonly ValidationRow[]
}

/** mAP@0.5 and COCO AP on validation over the steps of trainings, those of one name in one colour; a point marks the best of each. */
export function validationFigure(runs: readonly EvaluatedRun[]): Figure {
  const shown = runs.filter(({ rows }) => rows.length > 1)
  const names = [...new Set(shown.map(({ name }) => name))]
  const data = shown.flatMap(({ name, rows }, i) => {
    const index = names.indexOf(name)
    const isFirst = shown.findIndex((run) => run.name === name) === i
    return (['mAP50', 'AP'] as const).flatMap((metric, panel) => {
      const best = rows.reduce((a, b) => (b[metric] > a[metric] ? b : a))
      const shared = {
        type: 'scatter',
        name,
        legendgroup: String(index),
        hovertemplate: `${escapePlotly(name)}: step %{x}, %{y:.3f}<extra></extra>`,
        ...(panel === 1 && { xaxis: 'x2', yaxis: 'y2' }),
      }
      const color = colourOf(name, index)
      const x = rows.map(({ step }) => step)
      const y = rows.map((row) => row[metric])
      return [
        { ...shared, mode: 'lines', showlegend: panel === 0 && isFirst, x, y, line: { color, width: 1.8 } },
        {
          ...shared,
          mode: 'markers',
          showlegend: false,
          x: [best.step],
          y: [best[metric]],
          marker: { color, size: 7 },
        },
      ]
    })
  })
  return {
    data,
    layout: layout('Accuracy on validation while training: mAP@0.5 (left), COCO AP (right)', {
      grid: { rows: 1, columns: 2, pattern: 'independent', xgap: 0.2 },
      xaxis: axis('step'),
      yaxis: axis('mAP@0.5'),
      xaxis2: axis('step'),
      yaxis2: axis('COCO AP'),
      legend: LEGEND_BESIDE,
    }),
  }
}

/** Magnitudes of the batch-norm scales, for Network Slimming: one histogram per model. */
export function gammaHistogramFigure(
  models: readonly { readonly name: string; readonly values: ArrayLike<number> }[],
  { threshold }: { readonly threshold?: number } = {},
): Figure {
  return {
    data: models.map(({ name, values }, index) => ({
      type: 'histogram',
      name,
      x: Array.from(values, Math.abs),
      nbinsx: 80,
      opacity: 0.65,
      marker: { color: colourOf('', index) },
    })),
    layout: layout('Batch-norm scales of the prunable layers', {
      barmode: 'overlay',
      xaxis: axis('|γ|', { rangemode: 'tozero' }),
      yaxis: axis('channels'),
      ...(threshold !== undefined && {
        shapes: [verticalLine(threshold, NEUTRAL)],
        annotations: [
          lineNote('threshold', { x: threshold, y: 1, yref: 'paper', xanchor: 'left', yanchor: 'top' }),
        ],
      }),
    }),
  }
}

/** |gamma| over a sparsity training: every column is a histogram, with the 5, 25, 50, 75 and 95 % quantiles as lines. */
export function gammaHistoryFigure(rows: readonly GammaRow[]): Figure {
  const steps = rows.map(({ step }) => step)
  const edges = rows[0]?.edges ?? []
  const names = ['5 %', '25 %', 'median', '75 %', '95 %']
  return {
    data: [
      {
        type: 'heatmap',
        x: steps,
        y: edges.slice(1).map((edge, i) => (edge + edges[i]!) / 2),
        z: edges.slice(1).map((_, bin) => rows.map(({ counts }) => counts[bin])),
        colorscale: 'Blues',
        reversescale: true,
        colorbar: { title: { text: 'channels' } },
        hovertemplate: 'step %{x}, |γ| %{y:.2f}: %{z} channels<extra></extra>',
      },
      ...names.map((name, i) => ({
        type: 'scatter',
        mode: 'lines',
        name,
        showlegend: false,
        x: steps,
        y: rows.map(({ quantiles }) => quantiles[i]),
        line: { color: NEUTRAL, width: i === 2 ? 2.5 : 1, dash: i === 2 ? 'solid' : 'dot' },
        hovertemplate: `step %{x}: ${name} of the channels below %{y:.3f}<extra></extra>`,
      })),
    ],
    layout: layout('Batch-norm scales over sparsity training; lines: 5, 25, 50, 75, 95 %', {
      xaxis: axis('step'),
      yaxis: axis('|γ|', { rangemode: 'tozero' }),
    }),
  }
}
