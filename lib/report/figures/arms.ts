/** Figures of the arms: accuracy, differences, classes. */
import { escapePlotly } from '../../base'
import {
  type ArmNumbers,
  type FailedArm,
  METRICS,
  type MetricName,
  type Split,
  type SplitNumbers,
  verdictText,
} from '../../study'
import { comparedWith, failedCell } from '../differences'
import { pointsInterval } from '../format'
import {
  ACCENT,
  axis,
  errorBars,
  type Figure,
  LEGEND_BESIDE,
  layout,
  NEUTRAL,
  styleOf,
  translucent,
  verticalLine,
} from './style'

export interface Options {
  readonly split?: Split
  /** The arm to compare the others with. Default: the control at equal steps. */
  readonly reference?: string
  readonly metric?: MetricName
  /** Arms without a result: they have their line, which says so. */
  readonly failed?: readonly FailedArm[]
}

export type Measured = ArmNumbers & { readonly numbers: SplitNumbers }

export function measuredOn(arms: readonly ArmNumbers[], split: Split): Measured[] {
  return arms.flatMap((arm) => {
    const numbers = arm.splits[split]
    return numbers ? [{ ...arm, numbers }] : []
  })
}

/** A metric of every arm with its interval; the reference's interval is a band. */
export function methodsFigure(
  arms: readonly ArmNumbers[],
  { split = 'validation', reference = 'control', metric = 'mAP50', failed = [] }: Options = {},
): Figure {
  const lost = failed.filter(({ variation }) => !variation)
  const shown = measuredOn(arms, split).flatMap((arm) => {
    const value = arm.numbers.values[metric]
    return value ? [{ ...arm, value }] : []
  })
  const control = shown.find(({ name }) => name === reference)?.value
  const { name: metricName } = METRICS[metric]
  const traces = shown.map((arm) => {
    const { colour, symbol } = styleOf(arm)
    const { value } = arm
    const seeds = arm.numbers.seeds.length > 0 ? `, seeds ${arm.numbers.seeds.join(', ')}` : ''
    return {
      type: 'scatter',
      mode: 'markers',
      name: arm.name,
      showlegend: false,
      x: [value.value],
      y: [arm.name],
      error_x: { ...errorBars([value]), color: colour },
      marker: { color: colour, symbol, size: 11 },
      hovertemplate: `%{y}: %{x:.4f} [${value.lower.toFixed(4)}, ${value.upper.toFixed(4)}]${seeds}<extra></extra>`,
    }
  })
  const shapes = control && [
    {
      type: 'rect',
      yref: 'paper',
      y0: 0,
      y1: 1,
      x0: control.lower,
      x1: control.upper,
      fillcolor: translucent(ACCENT, 0.08),
      line: { width: 0 },
      layer: 'below',
    },
    verticalLine(control.value, ACCENT),
  ]
  return {
    data: traces,
    layout: layout(`${metricName} on ${split}${control ? `; band: the interval of ${reference}` : ''}`, {
      height: 130 + 38 * (shown.length + lost.length),
      xaxis: axis(metricName),
      yaxis: namesAxis([...shown, ...lost]),
      ...(shapes && { shapes }),
      ...reasons(lost),
    }),
  }
}

/** Paired differences to a reference with their intervals. */
export function differencesFigure(
  arms: readonly ArmNumbers[],
  { split = 'validation', reference = 'control', metric = 'mAP50', failed = [] }: Options = {},
): Figure {
  const lost = failed.filter(({ name, variation }) => !variation && name !== reference)
  const rows = measuredOn(comparedWith(arms, reference), split).flatMap((arm) => {
    const difference = arm.numbers.differences[reference]?.[metric]
    return difference ? [{ ...arm, difference }] : []
  })
  return {
    data: rows.map((arm) => {
      const { colour, symbol } = styleOf(arm)
      const { difference, lower, upper, verdict } = arm.difference
      const shown = { value: 100 * difference, lower: 100 * lower, upper: 100 * upper }
      return {
        type: 'scatter',
        mode: 'markers',
        name: arm.name,
        showlegend: false,
        x: [shown.value],
        y: [arm.name],
        error_x: { ...errorBars([shown]), color: colour },
        marker: {
          color: verdict === 'better' || verdict === 'worse' ? colour : '#ffffff',
          line: { color: colour, width: 2 },
          symbol,
          size: 11,
        },
        hovertemplate: `%{y}: ${pointsInterval(arm.difference)} points: ${verdictText(arm.difference)}<extra></extra>`,
      }
    }),
    layout: layout(`Difference to ${reference} on ${split} (filled: a difference is shown)`, {
      height: 130 + 38 * (rows.length + lost.length),
      xaxis: axis(`${METRICS[metric].name} minus that of ${reference}, points`),
      yaxis: namesAxis([...rows, ...lost]),
      shapes: [verticalLine(0, NEUTRAL)],
      ...reasons(lost),
    }),
  }
}

/** AP at IoU 0.5 of every class and arm. */
export function perClassFigure(arms: readonly ArmNumbers[], { split = 'validation' }: Options = {}): Figure {
  const shown = measuredOn(arms, split)
  const values = shown.flatMap(({ numbers }) => numbers.perClass.flatMap(({ ap }) => ap ?? []))
  return {
    data: shown.map((arm) => {
      const { colour, symbol } = styleOf(arm)
      return {
        type: 'scatter',
        mode: 'markers',
        name: arm.name,
        x: arm.numbers.perClass.map(({ name, truths }) => `${name}\n(${truths})`),
        y: arm.numbers.perClass.map(({ ap }) => ap),
        marker: { color: colour, symbol, size: 9, line: { color: '#ffffff', width: 1 } },
        hovertemplate: `${escapePlotly(arm.name)}, %{x}: %{y:.3f}<extra></extra>`,
      }
    }),
    layout: layout(`AP by class on ${split}`, {
      // Places the markers of a class side by side.
      scattermode: 'group',
      scattergap: 0.35,
      xaxis: axis('class (objects)', { type: 'category' }),
      // Plotly would start at 0 here.
      yaxis: axis('AP at IoU 0.5', {
        range: [Math.max(0, Math.min(...values) - 0.04), Math.max(...values) + 0.04],
      }),
      legend: LEGEND_BESIDE,
    }),
  }
}

/** What stands on the lines of arms that failed. */
function reasons(lost: readonly FailedArm[]): Record<string, unknown> {
  if (lost.length === 0) return {}
  return {
    annotations: lost.map((arm) => ({
      xref: 'paper',
      x: 0.01,
      xanchor: 'left',
      yref: 'y',
      y: arm.name,
      text: failedCell(arm),
      showarrow: false,
      font: { size: 11, color: NEUTRAL },
    })),
  }
}

/** Names from top to bottom. */
function namesAxis(rows: readonly { readonly name: string }[]): Record<string, unknown> {
  return axis('', {
    type: 'category',
    categoryorder: 'array',
    categoryarray: rows.map(({ name }) => name).reverse(),
    range: [-0.6, rows.length - 0.4],
  })
}
