/** A sweep as tables and figures. */
import type { SweepResult, SweepRow } from '../study'
import type { TableRow } from './document'
import { axis, colourOf, errorBars, type Figure, layout, NEUTRAL, translucent } from './figures/style'
import { apInterval, count, pointsInterval, significant, trainingSeeds } from './format'

/** One row an arm, after the teacher and what the arms start from; intervals over images and seeds. */
export function sweepTable({ sweep, rows }: SweepResult): TableRow[] {
  return rows.map(({ name, seeds, steps, trainingMacs, macs, mAP50, AP, terms }) => ({
    model: name,
    seeds: seeds.join(', ') || '–',
    steps: steps || '–',
    'MACs of the training': trainingMacs > 0 ? count(trainingMacs) : '–',
    'MACs an image': count(macs),
    [`${sweep.split} mAP@0.5 [interval]`]: apInterval(mAP50),
    'COCO AP [interval]': apInterval(AP),
    'gradient ratios': terms.map(({ method, ratio }) => `${method} ${significant(ratio)}`).join(', ') || '–',
  }))
}

/**
 * Paired differences of every arm to the references and, unless `teacher` is false, to the teacher, in points, one row a
 * pair. What no training of the sweep made is left out: it is no arm.
 */
export function sweepDifferenceTable(
  { sweep, rows }: SweepResult,
  { teacher = true }: { readonly teacher?: boolean } = {},
): TableRow[] {
  return rows.flatMap(({ name, trainingMacs, toReferences, toTeacher }): TableRow[] => {
    if (trainingMacs === 0) return []
    const sides = [
      ...sweep.references.map((reference) => [reference, toReferences[reference]] as const),
      ['teacher', teacher && !sweep.references.includes('teacher') ? toTeacher : undefined] as const,
    ]
    return sides.flatMap(([side, comparison]): TableRow[] =>
      comparison
        ? [
            {
              model: name,
              minus: side,
              'mAP@0.5, points': pointsInterval(comparison.mAP50),
              verdict: comparison.mAP50.verdict,
              'COCO AP, points': pointsInterval(comparison.AP),
              'verdict of COCO AP': comparison.AP.verdict,
            },
          ]
        : [],
    )
  })
}

/** What a sweep says about one of its arms against a reference, in a sentence. */
export function sweepVerdict({ sweep, rows }: SweepResult, arm: string, reference: string): string {
  const comparison = rows.find(({ name }) => name === arm)?.toReferences[reference]
  if (!comparison) {
    throw new Error(
      `sweep ${sweep.name}: expected arm ${arm} compared with ${reference}, found no such comparison`,
    )
  }
  const { mAP50, AP } = comparison
  return (
    `${arm} minus ${reference}: ${pointsInterval(mAP50)} points of mAP@0.5 (${mAP50.verdict}), ` +
    `${pointsInterval(AP)} points of COCO AP (${AP.verdict}); ${sweep.split}, ${mAP50.images} images, ${trainingSeeds(mAP50.seeds)}`
  )
}

/** Accuracy over what a training has cost: arms of one series joined, the teacher and the start as lines. */
export function sweepFigure({ sweep, rows }: SweepResult, metric: 'mAP50' | 'AP' = 'mAP50'): Figure {
  const arms = rows.filter(({ trainingMacs }) => trainingMacs > 0)
  const series = [...new Set(arms.map((row) => row.series ?? row.name))]
  const fixed = rows.filter(({ trainingMacs }) => trainingMacs === 0)
  const name = metric === 'mAP50' ? 'mAP@0.5' : 'COCO AP'
  return {
    data: series.map((label, index) => {
      const colour = colourOf(label, index)
      const own = arms
        .filter((row) => (row.series ?? row.name) === label)
        .sort((a, b) => a.trainingMacs - b.trainingMacs)
      return {
        type: 'scatter',
        mode: own.length > 1 ? 'lines+markers' : 'markers',
        name: label,
        x: own.map(({ trainingMacs }) => trainingMacs / 1e12),
        y: own.map((row) => row[metric].value),
        text: own.map((row) => `${row.name}, ${row.steps} steps`),
        error_y: { ...errorBars(own.map((row) => row[metric])), color: translucent(colour, 0.7) },
        line: { color: colour, width: 1.5 },
        marker: { color: colour, size: 10 },
        hovertemplate: '%{text}: %{x:.2f} T MACs, %{y:.4f}<extra></extra>',
      }
    }),
    layout: layout(`${name} against the compute of training (${sweep.split})`, {
      xaxis: axis('MACs of the training, 10¹²', { rangemode: 'tozero' }),
      yaxis: axis(name),
      legend: { orientation: 'v', x: 1.02, y: 1 },
      ...levels(fixed, metric),
    }),
  }
}

/** Horizontal lines of models that no training of the sweep made. */
function levels(rows: readonly SweepRow[], metric: 'mAP50' | 'AP'): Record<string, unknown> {
  const shown = rows.filter((row) => row[metric].value > 0.1)
  return {
    shapes: shown.map((row) => ({
      type: 'line',
      xref: 'paper',
      x0: 0,
      x1: 1,
      y0: row[metric].value,
      y1: row[metric].value,
      line: { color: NEUTRAL, width: 1.5, dash: 'dot' },
    })),
    annotations: shown.map((row) => ({
      xref: 'paper',
      x: 0.01,
      xanchor: 'left',
      y: row[metric].value,
      yanchor: 'bottom',
      text: row.name,
      showarrow: false,
      font: { size: 11, color: NEUTRAL },
    })),
  }
}
