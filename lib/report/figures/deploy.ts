/** Accuracy against milliseconds of a model's files. */
import { type Benchmark, paretoFront, RUNTIME, type RuntimeName } from '../../deploy'
import { axis, colourOf, errorBars, type Figure, LEGEND_BESIDE, layout, logAxis, NEUTRAL } from './style'

const SYMBOLS: readonly string[] = ['circle', 'square', 'diamond', 'triangle-up', 'cross', 'x', 'star']

/**
 * COCO AP of every file over the milliseconds of a call, quartiles as bars; a symbol a runtime, and a line through the files that no
 * other beats.
 */
export function formatsFigure({ models, data }: Benchmark): Figure {
  const runtimes = [...new Set(models.flatMap(({ rows }) => rows.map(({ runtime }) => runtime)))]
  const symbolOf = (runtime: RuntimeName) => SYMBOLS[runtimes.indexOf(runtime) % SYMBOLS.length]!
  const all = models.flatMap(({ rows }) => rows)
  const front = paretoFront(all).sort((a, b) => a.milliseconds.median - b.milliseconds.median)
  const series = models.map(({ name, rows }, i) => {
    const shown = rows.filter(({ withNms }) => !withNms)
    const colour = colourOf(name, i)
    return {
      type: 'scatter',
      mode: 'markers',
      name,
      x: shown.map(({ milliseconds }) => milliseconds.median),
      y: shown.map(({ AP }) => AP.value),
      text: shown.map((row) => row.name),
      error_x: {
        ...errorBars(
          shown.map(({ milliseconds: { median, low, high } }) => ({
            value: median,
            lower: low,
            upper: high,
          })),
        ),
        color: colour,
      },
      marker: {
        color: colour,
        size: 10,
        symbol: shown.map(({ runtime }) => symbolOf(runtime)),
      },
      hovertemplate: `${name}, %{text}: %{x:.2f} ms, COCO AP %{y:.4f}<extra></extra>`,
    }
  })
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'front',
        x: front.map(({ milliseconds }) => milliseconds.median),
        y: front.map(({ AP }) => AP.value),
        line: { color: NEUTRAL, width: 1.5, dash: 'dot', shape: 'hv' },
        hoverinfo: 'skip',
      },
      ...series,
      ...runtimes.map((runtime) => ({
        ...{ type: 'scatter', mode: 'markers', name: RUNTIME[runtime].title, x: [null], y: [null] },
        ...{ marker: { color: NEUTRAL, size: 10, symbol: `${symbolOf(runtime)}-open` }, hoverinfo: 'skip' },
      })),
    ],
    layout: layout(`Accuracy against time by file, ${data.images} images of validation`, {
      xaxis: logAxis(
        'milliseconds of a call with one image, one thread',
        all.map(({ milliseconds }) => milliseconds.median),
      ),
      yaxis: axis('COCO AP'),
      legend: LEGEND_BESIDE,
    }),
  }
}
