/** Figures of ablations (the weight lambda, the objectness threshold, the temperature) and of the gradients behind lambda. */
import { escapePlotly } from '../../base'
import type { ArmNumbers, PairedDifference, TermNumbers, Variation } from '../../study'
import { significant } from '../format'
import {
  axis,
  colourOf,
  errorBars,
  type Figure,
  horizontalLine,
  LEGEND_BESIDE,
  layout,
  logAxis,
  translucent,
} from './style'

/** Difference to the control over the ratio of gradient norms that each lambda gave, one curve per method. */
export function lambdaFigure(points: readonly ArmNumbers[], reference = 'control'): Figure {
  return curves(pointsOf(points, 'lambda', reference), {
    title: 'Weight of distillation (validation; filled: the method’s own)',
    axis: logAxis('gradient norm of distillation over that of the ground truth, at the start'),
    x: ({ term }) => term.ratio,
    text: ({ term }) => `λ ${significant(term.lambda)}`,
  })
}

/** Difference to the control over the objectness threshold of a method that masks by it. */
export function thresholdFigure(points: readonly ArmNumbers[], reference = 'control'): Figure {
  const shown = pointsOf(points, 'threshold', reference)
  return curves(shown, {
    title: `Objectness threshold of ${shown[0]?.method ?? 'the mask'} (validation; filled: the method’s own)`,
    axis: axis('threshold on the teacher’s objectness'),
    x: ({ value }) => value,
    text: ({ term }) => `λ ${significant(term.lambda)}, gradient ratio ${significant(term.ratio)}`,
  })
}

/** Difference to the control over the temperature of methods that soften with one. */
export function temperatureFigure(points: readonly ArmNumbers[], reference = 'control'): Figure {
  return curves(pointsOf(points, 'temperature', reference), {
    title: 'Temperature (validation; filled: the method’s own)',
    axis: logAxis('temperature T'),
    x: ({ value }) => value,
    text: ({ term }) => `λ ${significant(term.lambda)}, gradient ratio ${significant(term.ratio)}`,
  })
}

/** A point of a curve: a setting of a method and its difference to the control of the same seed. */
interface Point extends Pick<Variation, 'method' | 'value' | 'own'> {
  readonly term: TermNumbers
  readonly difference: PairedDifference
}

function pointsOf(arms: readonly ArmNumbers[], varied: Variation['varied'], reference: string): Point[] {
  return arms.flatMap(({ variation, terms, splits: { validation } }): Point[] => {
    const term = terms.find(({ method }) => method === variation?.method)
    const difference = validation?.differences[reference]?.mAP50
    return variation?.varied === varied && term && difference ? [{ ...variation, term, difference }] : []
  })
}

interface Curves {
  readonly title: string
  readonly axis: Record<string, unknown>
  readonly x: (point: Point) => number
  readonly text: (point: Point) => string
}

function curves(points: readonly Point[], options: Curves): Figure {
  const methods = [...new Set(points.map(({ method }) => method))]
  return {
    data: methods.map((method, index) => {
      const colour = colourOf(method, index)
      const own = points.filter((point) => point.method === method)
      own.sort((a, b) => options.x(a) - options.x(b))
      const shown = own.map(({ difference: { difference, lower, upper } }) => ({
        value: 100 * difference,
        lower: 100 * lower,
        upper: 100 * upper,
      }))
      return {
        type: 'scatter',
        mode: 'lines+markers',
        name: method,
        x: own.map(options.x),
        y: shown.map(({ value }) => value),
        text: own.map(options.text),
        error_y: { ...errorBars(shown), color: translucent(colour, 0.7) },
        line: { color: colour, width: 1.5 },
        marker: {
          color: own.map((point) => (point.own ? colour : '#ffffff')),
          line: { color: colour, width: 2 },
          size: 10,
        },
        hovertemplate: `${escapePlotly(method)}: %{x:.3g}, %{y:+.2f} points (%{text})<extra></extra>`,
      }
    }),
    layout: layout(options.title, {
      xaxis: options.axis,
      yaxis: axis('mAP@0.5 minus the control’s, points'),
      shapes: [horizontalLine(0)],
      showlegend: methods.length > 1,
      legend: LEGEND_BESIDE,
    }),
  }
}

/** Every method's weighted gradient relative to the ground truth's: ratio of norms, and cosine. */
export function gradientsFigure(arms: readonly ArmNumbers[]): Figure {
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
