/** Precision over recall. */
import { type MatchTable, precisionEnvelope, precisionRecall } from '../../evaluate'
import { axis, colourOf, type Figure, layout } from './style'

/** Maximum number of points per curve; more cannot be distinguished on a page. */
const POINTS = 200

/** Precision-recall curves of a class at IoU 0.5, one per model, interpolated as average precision sums them. */
export function prCurveFigure(
  models: readonly { readonly name: string; readonly table: MatchTable }[],
  { label, title }: { readonly label: number; readonly title: string },
): Figure {
  return {
    data: models.map(({ name, table }, index) => {
      const { recall, precision } = precisionRecall(table, label)
      const envelope = precisionEnvelope(precision)
      const shown = thinned(recall.length)
      return {
        type: 'scatter',
        mode: 'lines',
        name,
        x: shown.map((i) => recall[i]!),
        y: shown.map((i) => envelope[i]!),
        line: { color: colourOf(name, index), width: 2, shape: 'vh' },
      }
    }),
    layout: layout(title, {
      xaxis: axis('recall', { range: [0, 1] }),
      yaxis: axis('precision (interpolated)', { range: [0, 1.02] }),
    }),
  }
}

function thinned(length: number): number[] {
  const count = Math.min(length, POINTS)
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / Math.max(1, count - 1)))
}
