/** Figures of accuracy against cost: of using a model, and of training it. */
import { escapePlotly } from '../../base'
import {
  type ArmNumbers,
  type FailedArm,
  type Interval,
  METRICS,
  type MetricName,
  type Split,
} from '../../study'
import { type Measured, measuredOn, type Options } from './arms'
import {
  ACCENT,
  axis,
  errorBars,
  type Figure,
  horizontalLine,
  LEGEND_BESIDE,
  layout,
  lineNote,
  NEUTRAL,
  styleOf,
  translucent,
  verticalLine,
} from './style'

/** Accuracy against cost: mAP@0.5 with its interval over MACs. */
export function paretoFigure(
  arms: readonly ArmNumbers[],
  { split = 'validation', failed = [] }: Options = {},
): Figure {
  const shown = valuesOn(arms, split, 'mAP50')
  const teacher = shown.find(({ role }) => role === 'teacher')
  // Students have equal MACs: they are drawn slightly apart, side by side, and named in the legend.
  const widest = Math.max(...shown.map(({ macs }) => macs))
  const crowd = (arm: Measured) => shown.filter(({ macs }) => macs === arm.macs)
  const dots = shown.map((arm) => {
    const { colour, symbol } = styleOf(arm)
    const beside = crowd(arm)
    const shift =
      (beside.indexOf(arm) - (beside.length - 1) / 2) * Math.min(0.006, 0.04 / beside.length) * widest
    return {
      type: 'scatter',
      mode: 'markers',
      name: arm.name,
      x: [(arm.macs + shift) / 1e6],
      y: [arm.value.value],
      error_y: { ...errorBars([arm.value]), color: colour },
      marker: { color: colour, symbol, size: 11 },
      hovertemplate: `${escapePlotly(arm.name)}: ${(arm.macs / 1e6).toFixed(1)} M MACs, mAP@0.5 %{y:.4f}<extra></extra>`,
    }
  })
  return {
    data: [...dots, ...namesOf(failed)],
    layout: layout(`Accuracy against cost on ${split}`, {
      xaxis: axis('MACs an image, millions (equal ones drawn side by side)', { rangemode: 'tozero' }),
      yaxis: axis('mAP@0.5 (VOC, all-point)'),
      legend: LEGEND_BESIDE,
      ...(teacher && {
        shapes: [verticalLine(teacher.macs / 2e6, NEUTRAL)],
        annotations: [
          lineNote('50 % of the teacher', { x: teacher.macs / 2e6, y: 1, yref: 'paper', yanchor: 'bottom' }),
        ],
      }),
    }),
  }
}

/**
 * Accuracy over the cost of training: arms of one series are joined, models not trained in the comparison are lines. A
 * method that only learns faster per step lies on the line of the controls; one worth its price lies above it.
 */
export function computeFigure(
  arms: readonly ArmNumbers[],
  { split = 'validation', metric = 'mAP50', failed = [] }: Options = {},
): Figure {
  const shown = valuesOn(arms, split, metric)
  const trained = shown.filter(({ trainingMacs, role }) => trainingMacs > 0 && role !== 'teacher')
  const series = [...new Set(trained.map((arm) => arm.series ?? arm.name))]
  const { name } = METRICS[metric]
  const widest = Math.max(0, ...trained.map(({ trainingMacs }) => trainingMacs / 1e12))
  const lines = series.map((label, index) => {
    const own = trained
      .filter((arm) => (arm.series ?? arm.name) === label)
      .sort((a, b) => a.trainingMacs - b.trainingMacs)
    const { colour, symbol } = own.length > 1 ? { colour: ACCENT, symbol: 'square' } : styleOf(own[0]!, index)
    return {
      type: 'scatter',
      mode: own.length > 1 ? 'lines+markers' : 'markers',
      name: label,
      x: own.map((arm) => arm.trainingMacs / 1e12 + aside(arm, trained, widest)),
      y: own.map(({ value }) => value.value),
      text: own.map((arm) => `${arm.name}, ${arm.steps} steps, ${(arm.trainingMacs / 1e12).toFixed(2)}`),
      error_y: { ...errorBars(own.map(({ value }) => value)), color: translucent(colour, 0.7) },
      line: { color: colour, width: 1.5 },
      marker: { color: colour, symbol, size: 10 },
      cliponaxis: false,
      hovertemplate: '%{text} T MACs, %{y:.4f}<extra></extra>',
    }
  })
  return {
    data: [...lines, ...(lines.length > 0 ? namesOf(failed) : [])],
    layout: layout(`${name} against the compute of training, ${split}`, {
      xaxis: axis('MACs of the training, 10¹² (equal ones drawn side by side)', {
        range: [0, 1.06 * widest],
      }),
      yaxis: axis(name),
      legend: LEGEND_BESIDE,
      ...levels(shown.filter(({ trainingMacs, value }) => trainingMacs === 0 && value.value > 0.1)),
    }),
  }
}

/** Entries of the legend for arms that have no place in the figure. */
function namesOf(failed: readonly FailedArm[]): Figure['data'] {
  return failed
    .filter(({ variation }) => !variation)
    .map((arm) => ({
      ...{ type: 'scatter', mode: 'markers', name: `${arm.name} (failed)`, x: [null], y: [null] },
      marker: { color: NEUTRAL, symbol: 'x', size: 9 },
    }))
}

/** How far an arm is drawn from its position, so that arms of equal cost do not hide each other. */
function aside(arm: Valued, all: readonly Valued[], widest: number): number {
  const beside = all.filter(({ trainingMacs }) => trainingMacs === arm.trainingMacs)
  return (beside.indexOf(arm) - (beside.length - 1) / 2) * 0.012 * widest
}

type Valued = Measured & { readonly value: Interval }

function valuesOn(arms: readonly ArmNumbers[], split: Split, metric: MetricName): Valued[] {
  return measuredOn(arms, split).flatMap((arm) => {
    const value = arm.numbers.values[metric]
    return value ? [{ ...arm, value }] : []
  })
}

/** Horizontal lines for models not trained in the comparison. */
function levels(shown: readonly Valued[]): Record<string, unknown> {
  return {
    shapes: shown.map(({ value }) => horizontalLine(value.value)),
    annotations: shown.map(({ name, value }) =>
      lineNote(name, { xref: 'paper', x: 0.01, xanchor: 'left', y: value.value, yanchor: 'bottom' }),
    ),
  }
}
