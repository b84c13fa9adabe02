/** Figures of accuracy against cost: that of using a model, and that of training it. */
import { CONTROL_NAMES } from '../../study'
import type { ArmSummary } from '../summary-types'
import { type Measured, measuredOn, type Options, verticalLine } from './arms'
import { ACCENT, axis, errorBars, type Figure, layout, NEUTRAL, styleOf, translucent } from './style'

/** Accuracy against cost: mAP@0.5 with its interval over MACs. */
export function paretoFigure(arms: readonly ArmSummary[], { split = 'validation' }: Options = {}): Figure {
  const shown = measuredOn(arms, split)
  const teacher = shown.find(({ role }) => role === 'teacher')
  // Students have the same MACs: they are drawn side by side, a little apart, and named in the legend.
  const widest = Math.max(...shown.map(({ complexity }) => complexity.macs))
  const crowd = (arm: Measured) => shown.filter(({ complexity }) => complexity.macs === arm.complexity.macs)
  return {
    data: shown.map((arm) => {
      const { colour, symbol } = styleOf(arm)
      const beside = crowd(arm)
      const shift =
        (beside.indexOf(arm) - (beside.length - 1) / 2) * Math.min(0.006, 0.04 / beside.length) * widest
      return {
        type: 'scatter',
        mode: 'markers',
        name: arm.name,
        x: [(arm.complexity.macs + shift) / 1e6],
        y: [arm.numbers.mAP50.value],
        error_y: { ...errorBars([arm.numbers.mAP50]), color: colour },
        marker: { color: colour, symbol, size: 11 },
        hovertemplate: `${arm.name}: ${(arm.complexity.macs / 1e6).toFixed(1)} M MACs, mAP@0.5 %{y:.4f}<extra></extra>`,
      }
    }),
    layout: layout(`Accuracy against cost on ${split}`, {
      xaxis: axis('MACs an image, millions (equal ones drawn side by side)', { rangemode: 'tozero' }),
      yaxis: axis('mAP@0.5 (VOC, all-point)'),
      legend: { orientation: 'v', x: 1.02, y: 1 },
      ...(teacher && {
        shapes: [verticalLine(teacher.complexity.macs / 2e6, NEUTRAL)],
        annotations: [
          {
            x: teacher.complexity.macs / 2e6,
            y: 1,
            yref: 'paper',
            yanchor: 'bottom',
            text: '50 % of the teacher',
            showarrow: false,
            font: { size: 11, color: NEUTRAL },
          },
        ],
      }),
    }),
  }
}

/**
 * mAP@0.5 over what the training after the student has cost. A method that only learns faster a step lies on the line
 * through student, control and control at equal compute; one that is worth its price lies above it.
 */
export function computeFigure(arms: readonly ArmSummary[], { split = 'validation' }: Options = {}): Figure {
  const students = measuredOn(arms, split).filter(
    ({ role, name }) =>
      role === 'student' ||
      role === 'method' ||
      name === CONTROL_NAMES.steps ||
      name === CONTROL_NAMES.compute,
  )
  const cost = ({ numbers }: Measured) => numbers.trainingMacs / 1e12
  const undistilled = students.filter(({ role }) => role !== 'method').sort((a, b) => cost(a) - cost(b))
  const widest = Math.max(0, ...students.map(cost))
  const methods = students.filter(({ role }) => role === 'method')
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'without a teacher',
        x: undistilled.map(cost),
        y: undistilled.map(({ numbers }) => numbers.mAP50.value),
        line: { color: translucent(ACCENT, 0.5), width: 1.5 },
        showlegend: false,
        hoverinfo: 'skip',
      },
      ...students.map((arm) => {
        const { colour, symbol } = styleOf(arm)
        // Methods cost the same, so they are drawn a little apart.
        const shift =
          arm.role === 'method' ? (methods.indexOf(arm) - (methods.length - 1) / 2) * 0.012 * widest : 0
        return {
          type: 'scatter',
          mode: 'markers',
          name: arm.name,
          x: [cost(arm) + shift],
          y: [arm.numbers.mAP50.value],
          error_y: { ...errorBars([arm.numbers.mAP50]), color: colour },
          marker: { color: colour, symbol, size: 11 },
          cliponaxis: false,
          hovertemplate: `${arm.name}: ${cost(arm).toFixed(2)} T MACs, mAP@0.5 %{y:.4f}<extra></extra>`,
        }
      }),
    ],
    layout: layout(`Accuracy against the compute of training on, ${split}`, {
      xaxis: axis('MACs of the training after the student, 10¹² (methods drawn side by side)', {
        range: [-0.03 * widest, 1.06 * widest],
      }),
      yaxis: axis('mAP@0.5 (VOC, all-point)'),
      legend: { orientation: 'v', x: 1.02, y: 1 },
    }),
  }
}
