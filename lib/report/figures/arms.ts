/** Figures of the arms: accuracy, differences, classes. */
import { CONTROL_NAMES, type Metric, type Split } from '../../study'
import { pointsInterval } from '../format'
import { type ComparedWith, METRIC_NAMES, REFERENCES } from '../references'
import type { ArmSummary, SplitSummary } from '../summary-types'
import { ACCENT, axis, errorBars, type Figure, layout, NEUTRAL, styleOf, translucent } from './style'

export interface Options {
  readonly split?: Split
}

export type Measured = ArmSummary & { readonly numbers: SplitSummary }

export function measuredOn(arms: readonly ArmSummary[], split: Split): Measured[] {
  return arms.flatMap((arm) => {
    const numbers = arm[split]
    return numbers ? [{ ...arm, numbers }] : []
  })
}

/** mAP@0.5 of every arm with its interval, and the control's as a band. */
export function methodsFigure(arms: readonly ArmSummary[], { split = 'validation' }: Options = {}): Figure {
  const shown = measuredOn(arms, split)
  const control = shown.find(({ name }) => name === CONTROL_NAMES.steps)?.numbers.mAP50
  const traces = shown.map((arm) => {
    const { colour, symbol } = styleOf(arm)
    const { mAP50, seeds } = arm.numbers
    return {
      type: 'scatter',
      mode: 'markers',
      name: arm.name,
      showlegend: false,
      x: [mAP50.value],
      y: [arm.name],
      error_x: { ...errorBars([mAP50]), color: colour },
      marker: { color: colour, symbol, size: 11 },
      hovertemplate: `%{y}: %{x:.4f} [${mAP50.lower.toFixed(4)}, ${mAP50.upper.toFixed(4)}], seeds ${seeds.join(', ')}<extra></extra>`,
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
    layout: layout(`mAP@0.5 on ${split}${control ? '; band: the control’s interval' : ''}`, {
      height: 130 + 38 * shown.length,
      xaxis: axis('mAP@0.5 (VOC, all-point)'),
      yaxis: namesAxis(shown),
      ...(shapes && { shapes }),
    }),
  }
}

/** Paired differences to a control, or to the teacher, with their intervals. */
export function differencesFigure(
  arms: readonly ArmSummary[],
  {
    split = 'validation',
    reference = 'control',
    metric = 'mAP50',
  }: Options & { readonly reference?: ComparedWith; readonly metric?: Metric } = {},
): Figure {
  const { name, ...differences } = REFERENCES[reference]
  const rows = measuredOn(arms, split).flatMap((arm) => {
    const difference = arm.numbers[differences[metric]]
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
          color: verdict === 'no difference shown' ? '#ffffff' : colour,
          line: { color: colour, width: 2 },
          symbol,
          size: 11,
        },
        hovertemplate: `%{y}: ${pointsInterval(arm.difference)} points: ${verdict}<extra></extra>`,
      }
    }),
    layout: layout(`Difference to ${name} on ${split} (filled: the interval does not hold 0)`, {
      height: 130 + 38 * rows.length,
      xaxis: axis(`${METRIC_NAMES[metric]} minus ${name}’s, points`),
      yaxis: namesAxis(rows),
      shapes: [verticalLine(0, NEUTRAL)],
    }),
  }
}

/** AP at IoU 0.5 of every class and arm. */
export function perClassFigure(arms: readonly ArmSummary[], { split = 'validation' }: Options = {}): Figure {
  const shown = measuredOn(arms, split)
  const values = shown.flatMap(({ numbers }) => numbers.perClass.flatMap(({ ap }) => ap ?? []))
  return {
    data: shown.map((arm) => {
      const { colour, symbol } = styleOf(arm)
      return {
        type: 'scatter',
        mode: 'markers',
        name: arm.name,
        x: arm.numbers.perClass.map(({ name, truths }) => `${name}<br>(${truths})`),
        y: arm.numbers.perClass.map(({ ap }) => ap),
        marker: { color: colour, symbol, size: 9, line: { color: '#ffffff', width: 1 } },
        hovertemplate: `${arm.name}, %{x}: %{y:.3f}<extra></extra>`,
      }
    }),
    layout: layout(`AP by class on ${split}`, {
      // Markers of a class stand side by side.
      scattermode: 'group',
      scattergap: 0.35,
      xaxis: axis('class (objects)', { type: 'category' }),
      // Plotly would begin at 0 here.
      yaxis: axis('AP at IoU 0.5', {
        range: [Math.max(0, Math.min(...values) - 0.04), Math.max(...values) + 0.04],
      }),
      legend: { orientation: 'v', x: 1.02, y: 1 },
    }),
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

export function verticalLine(x: number, color: string): Record<string, unknown> {
  return { type: 'line', yref: 'paper', y0: 0, y1: 1, x0: x, x1: x, line: { color, width: 1.5, dash: 'dot' } }
}
