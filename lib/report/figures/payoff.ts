/** The map of where distillation pays. */
import { METRICS, type MetricName } from '../../study'
import { pointsInterval } from '../format'
import { type Answer, answerOf, labelsText, onValidation, type Payoff } from '../payoff'
import { axis, type Figure, layout } from './style'

/** Up to as many steps a training is short; the sweeps of the workbook have 400 and 600, or 3,000 and more. */
const SHORT = 1000

const ANSWERS: readonly Answer[] = ['costs', 'not shown', 'only faster a step', 'pays']
/** Light tones of Okabe & Ito's vermilion, grey, blue and green, under dark words that say the same. */
const TONES = ['#f3c9ae', '#e6e9ed', '#bcd9ec', '#b3e0d1']

/**
 * Rows are the images with labels, columns unlabelled frames and the length of the training. A cell has the answer of the arm that
 * does best there on validation against the control at equal compute, and its differences to control, equal compute and teacher in
 * points. The intervals do not know that the arm was chosen among others.
 */
export function payoffFigure(all: readonly Payoff[], metric: MetricName = 'mAP50'): Figure {
  const found = onValidation(all)
  const rows = [...new Set(found.map(rowOf))]
  const columns = [...new Set([false, true].flatMap((unlabelled) => columnsWith(unlabelled, found)))]
  const cells = rows.map((row) =>
    columns.map((column) => {
      const here = found.filter((payoff) => rowOf(payoff) === row && columnOf(payoff) === column)
      return here.sort((a, b) => gain(b) - gain(a))[0]
    }),
  )
  const shown = cells.flatMap((line, y) =>
    line.flatMap((payoff, x) => (payoff ? [{ payoff, x: columns[x]!, y: rows[y]! }] : [])),
  )
  if (shown.length === 0) return { data: [], layout: layout('') }
  const { name } = METRICS[metric]
  return {
    data: [
      {
        type: 'heatmap',
        x: columns,
        y: rows,
        z: cells.map((line) => line.map((payoff) => (payoff ? ANSWERS.indexOf(answerOf(payoff)) : null))),
        ...{ zmin: -0.5, zmax: ANSWERS.length - 0.5, showscale: false, xgap: 4, ygap: 4 },
        colorscale: TONES.flatMap((tone, i) => [
          [i / TONES.length, tone],
          [(i + 1) / TONES.length, tone],
        ]),
        hoverongaps: false,
        text: cells.map((line) => line.map((payoff) => (payoff ? detailsOf(payoff) : ''))),
        hovertemplate: '%{text}<extra></extra>',
      },
    ],
    layout: layout(
      `Where distillation pays: ${name} minus control, control at equal compute and teacher, points`,
      {
        height: 150 + 92 * rows.length,
        xaxis: axis(`labelled images alone, or frames without labels too; short: up to ${SHORT} steps`, {
          type: 'category',
          ticks: '',
        }),
        yaxis: axis('', {
          ...{ type: 'category', ticks: '', autorange: 'reversed', gridcolor: 'rgba(0, 0, 0, 0)' },
        }),
        annotations: shown.map(({ payoff, x, y }) => ({
          ...{ x, y, showarrow: false, font: { size: 11, color: '#1b1f24' } },
          text: [answerOf(payoff), ...differencesOf(payoff, 1)].join('\n'),
        })),
      },
    ),
  }
}

/** Orders the arms of a cell; one without a control at equal compute comes last. */
const gain = ({ equalCompute }: Payoff): number => equalCompute?.difference ?? Number.NEGATIVE_INFINITY

function columnsWith(unlabelled: boolean, found: readonly Payoff[]): string[] {
  const own = found.filter((payoff) => payoff.unlabelled === unlabelled)
  return [...own].sort((a, b) => a.steps - b.steps).map(columnOf)
}

/** Never a number alone, which Plotly would read as a place on the axis. */
function rowOf({ labels }: Payoff): string {
  const [images, ...more] = labelsText(labels).split(', ')
  return [`${images} labels`, ...more].join(',\n').replace(' or', '\nor')
}

const columnOf = ({ unlabelled, steps }: Payoff): string =>
  `${unlabelled ? 'frames' : 'alone'},\n${steps <= SHORT ? 'short' : 'long'}`

const differencesOf = ({ equalSteps, equalCompute, teacher }: Payoff, digits = 2): string[] => [
  `steps ${pointsInterval(equalSteps, { digits })}`,
  `compute ${pointsInterval(equalCompute, { digits })}`,
  `teacher ${pointsInterval(teacher, { digits })}`,
]

const detailsOf = (payoff: Payoff): string =>
  [`${payoff.arm}, ${payoff.steps} steps (${payoff.sweep})`, ...differencesOf(payoff)].join('\n')
