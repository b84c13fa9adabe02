/** Figures of what was varied: the weight lambda and the objectness threshold; and of the gradients behind lambda. */
import { significant } from '../format'
import type { AblationSummary, ArmSummary } from '../summary-types'
import { axis, colourOf, errorBars, type Figure, layout, logAxis, NEUTRAL, translucent } from './style'

/** Difference to the control over the ratio of gradient norms that lambda made, one curve a method. */
export function lambdaFigure(points: readonly AblationSummary[]): Figure {
  return curves(points, {
    title: 'Weight of distillation (validation; filled: the method’s own)',
    axis: logAxis('gradient norm of distillation over that of the ground truth, at the start'),
    x: ({ term }) => term.ratio,
    text: ({ term }) => `λ ${significant(term.lambda)}`,
  })
}

/** Difference to the control over the objectness threshold of masked-class-kd. */
export function thresholdFigure(points: readonly AblationSummary[]): Figure {
  return curves(points, {
    title: 'Objectness threshold of masked-class-kd (validation; filled: the method’s own)',
    axis: axis('threshold on the teacher’s objectness'),
    x: ({ value }) => value,
    text: ({ term }) => `λ ${significant(term.lambda)}, gradient ratio ${significant(term.ratio)}`,
  })
}

interface Curves {
  readonly title: string
  readonly axis: Record<string, unknown>
  readonly x: (point: AblationSummary) => number
  readonly text: (point: AblationSummary) => string
}

function curves(points: readonly AblationSummary[], options: Curves): Figure {
  const methods = [...new Set(points.map(({ method }) => method))]
  return {
    data: methods.map((method, index) => {
      const colour = colourOf(method, index)
      const own = points.flatMap((point) => {
        const difference = point.method === method ? point.toControl : undefined
        return difference ? [{ point, difference }] : []
      })
      own.sort((a, b) => options.x(a.point) - options.x(b.point))
      const shown = own.map(({ difference: { difference, lower, upper } }) => ({
        value: 100 * difference,
        lower: 100 * lower,
        upper: 100 * upper,
      }))
      return {
        type: 'scatter',
        mode: 'lines+markers',
        name: method,
        x: own.map(({ point }) => options.x(point)),
        y: shown.map(({ value }) => value),
        text: own.map(({ point }) => options.text(point)),
        error_y: { ...errorBars(shown), color: translucent(colour, 0.7) },
        line: { color: colour, width: 1.5 },
        marker: {
          color: own.map(({ point }) => (point.own ? colour : '#ffffff')),
          line: { color: colour, width: 2 },
          size: 10,
        },
        hovertemplate: `${method}: %{x:.3g}, %{y:+.2f} points (%{text})<extra></extra>`,
      }
    }),
    layout: layout(options.title, {
      xaxis: options.axis,
      yaxis: axis('mAP@0.5 minus the control’s, points'),
      shapes: [
        {
          type: 'line',
          xref: 'paper',
          x0: 0,
          x1: 1,
          y0: 0,
          y1: 0,
          line: { color: NEUTRAL, width: 1.5, dash: 'dot' },
        },
      ],
      showlegend: methods.length > 1,
      legend: { orientation: 'v', x: 1.02, y: 1 },
    }),
  }
}

/** What every method's weighted gradient was against the ground truth's: ratio of norms, and cosine. */
export function gradientsFigure(arms: readonly ArmSummary[]): Figure {
  const terms = arms.flatMap((arm) => arm.terms.map((term) => ({ arm, term })))
  const bars = (name: string, value: (index: number) => number | null, axes: object) => ({
    type: 'bar',
    name,
    x: terms.map(({ arm, term }) => (arm.terms.length > 1 ? `${arm.name}: ${term.method}` : arm.name)),
    y: terms.map((_, index) => value(index)),
    marker: { color: terms.map(({ term }, index) => colourOf(term.method, index)) },
    text: terms.map((_, index) => {
      const shown = value(index)
      return shown === null ? '' : significant(shown)
    }),
    textposition: 'outside',
    cliponaxis: false,
    showlegend: false,
    hovertemplate: `%{x}: %{text}<extra>${name}</extra>`,
    ...axes,
  })
  return {
    data: [
      bars('ratio of norms', (index) => terms[index]!.term.ratio, {}),
      bars('cosine', (index) => terms[index]!.term.cosine, { xaxis: 'x2', yaxis: 'y2' }),
    ],
    layout: layout('Distillation’s gradient, weighted with λ, against the ground truth’s', {
      grid: { rows: 1, columns: 2, pattern: 'independent', xgap: 0.2 },
      xaxis: axis(''),
      yaxis: axis('ratio of norms', { rangemode: 'tozero' }),
      xaxis2: axis(''),
      yaxis2: axis('cosine'),
    }),
  }
}
