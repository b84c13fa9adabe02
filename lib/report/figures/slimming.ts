/** The cost of pruning before any fine-tuning. */
import type { LayerPoint, ScanPoint } from '../../slimming'
import { axis, colourOf, type Figure, layout } from './style'

/** Score over the fraction of channels removed by one threshold, and the fraction of operations kept. */
export function accuracyByRatioFigure(points: readonly ScanPoint[], score = 'mAP@0.5'): Figure {
  const x = points.map(({ ratio }) => 100 * ratio)
  const whole = Math.max(...points.map(({ macs }) => macs))
  const scores = points.map((point) => point.score)
  const shares = points.map(({ macs }) => (100 * macs) / whole)
  const line = (name: string, index: number, y: readonly number[], more: object = {}) => ({
    type: 'scatter',
    mode: 'lines+markers',
    name,
    x,
    y,
    line: { color: colourOf('', index), width: 2 },
    ...more,
  })
  return {
    data: [line(score, 0, scores), line('MACs', 1, shares, { yaxis: 'y2' })],
    layout: layout(`${score} after pruning, without fine-tuning`, {
      xaxis: axis('channels taken, %', { rangemode: 'tozero' }),
      yaxis: axis(score, { rangemode: 'tozero' }),
      yaxis2: axis('MACs that stay, %', {
        rangemode: 'tozero',
        overlaying: 'y',
        side: 'right',
        showgrid: false,
      }),
      legend: { x: 1.12, y: 1 },
    }),
  }
}

/**
 * Loss of score when a single mask group is pruned, one bar per ratio.
 *
 * @param whole the unpruned network's score
 */
export function sensitivityFigure(points: readonly LayerPoint[], whole: number, score = 'mAP@0.5'): Figure {
  const ratios = [...new Set(points.map(({ ratio }) => ratio))]
  return {
    data: ratios.map((ratio, index) => {
      const own = points.filter((point) => point.ratio === ratio)
      return {
        type: 'bar',
        name: `${Math.round(100 * ratio)} % taken`,
        x: own.map(({ group }) => group),
        y: own.map((point) => whole - point.score),
        text: own.map(({ kept, channels }) => `${kept} of ${channels}`),
        textposition: 'outside',
        textangle: 0,
        cliponaxis: false,
        marker: { color: colourOf('', index) },
      }
    }),
    layout: layout(`What ${score} loses when one group alone is pruned, without fine-tuning`, {
      xaxis: axis(''),
      yaxis: axis(`loss of ${score}`),
      height: 440,
    }),
  }
}
