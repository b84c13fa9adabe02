/** Recall by class and size. */
import { escapePlotly } from '../../base'
import type { RecallRow } from '../safety'
import { axis, errorBars, type Figure, layout, styleOf } from './style'

/** Recall of teacher and student for every class and size, with its interval. */
export function recallFigure(rows: readonly RecallRow[], models: readonly [string, string]): Figure {
  const shown = rows.filter(({ size }) => size !== undefined)
  const names = shown.map(({ name, size, objects }) => `${name}, ${size} (${objects})`)
  return {
    data: (['teacher', 'student'] as const).map((role, model) => {
      const { colour, symbol } = styleOf({ role, name: role })
      const values = shown.map((row) => row[role])
      return {
        type: 'scatter',
        mode: 'markers',
        orientation: 'h',
        name: models[model],
        x: values.map(({ value }) => value),
        y: names,
        error_x: { ...errorBars(values), color: colour },
        marker: { color: colour, symbol, size: 8 },
        hovertemplate: `${escapePlotly(models[model]!)}, %{y}: %{x:.3f}<extra></extra>`,
      }
    }),
    layout: layout('Objects that are found, by class and size', {
      height: 130 + 26 * shown.length,
      // Teacher and student of a row one above the other.
      scattermode: 'group',
      xaxis: axis('recall at IoU 0.5', { range: [-0.02, 1.02] }),
      yaxis: axis('', {
        type: 'category',
        categoryorder: 'array',
        categoryarray: [...names].reverse(),
        range: [-0.6, names.length - 0.4],
      }),
    }),
  }
}
