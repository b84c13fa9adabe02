/** Maps of cells drawn over their image. */
import { escapePlotly } from '../../base'
import type { CellMap } from '../probe'
import { type Figure, layout } from './style'

/** Maps that share one range of colours. */
export interface CellMapRow {
  readonly name: string
  readonly maps: readonly CellMap[]
  /** Value of the strongest colour; default: the largest of the row's values. */
  readonly limit?: number
  /** Value without a colour; default: 0. */
  readonly floor?: number
}

/** The image under the maps, and what is written beside them. */
export interface CellMapOptions {
  readonly title: string
  /** What the colours mean. */
  readonly unit: string
  /** Width and height of the image in pixels. */
  readonly size: { readonly width: number; readonly height: number }
  /** URL of the image. */
  readonly url: string
  /** Boxes outlined in white, such as the objects. */
  readonly boxes?: readonly {
    readonly x1: number
    readonly y1: number
    readonly x2: number
    readonly y2: number
  }[]
}

/** Pixels: width of a figure in a notebook, and height of a row's label. */
const WIDTH = 980
const LABEL = 26

/** From transparent to strong, so that the image shows through where the value is small. */
const COLOURS = [
  [0, 'rgba(255, 235, 59, 0)'],
  [0.25, 'rgba(255, 193, 7, 0.45)'],
  [0.6, 'rgba(244, 81, 30, 0.7)'],
  [1, 'rgba(173, 20, 87, 0.85)'],
] as const

/** A figure of maps drawn over an image: one row per set of maps, one column per stride. */
export function cellMapsFigure(rows: readonly CellMapRow[], options: CellMapOptions): Figure {
  const { title, unit, size, url, boxes = [] } = options
  const columns = Math.max(...rows.map(({ maps }) => maps.length))
  const rowHeight = LABEL + (WIDTH / columns) * (size.height / size.width)
  const axes: { [name: string]: unknown } = {}
  const data: { [key: string]: unknown }[] = []
  const images: object[] = []
  const shapes: object[] = []
  const annotations: object[] = []
  rows.forEach(({ name, maps, limit, floor = 0 }, r) => {
    const largest = limit ?? (Math.max(...maps.flatMap(({ values }) => values.flat())) || 1)
    maps.forEach(({ stride, values }, c) => {
      const axis = String(r * columns + c + 1)
      const x = [c / columns + 0.005, (c + 1) / columns - 0.005]
      const y = [1 - (r + 1) / rows.length, 1 - (r + LABEL / rowHeight) / rows.length]
      const hidden = { visible: false, fixedrange: true }
      axes[`xaxis${axis}`] = { domain: x, range: [0, size.width], anchor: `y${axis}`, ...hidden }
      axes[`yaxis${axis}`] = { domain: y, range: [size.height, 0], anchor: `x${axis}`, ...hidden }
      const place = { xref: `x${axis}`, yref: `y${axis}`, x: 0, y: 0, sizex: size.width, sizey: size.height }
      images.push({ source: url, ...place, sizing: 'stretch', layer: 'below' })
      for (const { x1, y1, x2, y2 } of boxes) {
        const line = { color: 'rgba(255, 255, 255, 0.8)', width: 1 }
        shapes.push({
          type: 'rect',
          xref: `x${axis}`,
          yref: `y${axis}`,
          x0: x1,
          x1: x2,
          y0: y1,
          y1: y2,
          line,
        })
      }
      const paper = { xref: 'paper', yref: 'paper', xanchor: 'left', yanchor: 'bottom', showarrow: false }
      annotations.push({ ...paper, x: x[0], y: y[1], text: `${name}, stride ${stride}` })
      data.push({
        type: 'heatmap',
        z: values,
        x0: stride / 2,
        dx: stride,
        y0: stride / 2,
        dy: stride,
        xaxis: `x${axis}`,
        yaxis: `y${axis}`,
        zmin: floor,
        zmax: largest,
        colorscale: COLOURS,
        showscale: false,
        name: `${name}, stride ${stride}`,
        hovertemplate: `%{z:.3g} ${escapePlotly(unit)}<extra>stride ${stride}</extra>`,
      })
    })
  })
  const margin = { l: 4, r: 4, t: 36, b: 4 }
  const height = margin.t + margin.b + rows.length * rowHeight
  return { data, layout: layout(title, { height, margin, images, shapes, annotations, ...axes }) }
}
