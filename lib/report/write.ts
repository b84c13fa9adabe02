import { join } from 'node:path'
import { z } from 'zod'
import { readSealed, recordOf, renderCsv, type TableRow, writeAtomically, writeSealed } from '../base'
import { renderMarkdown } from './markdown'
import type { ReportModel } from './model'
import { renderHtml } from './page'
import { overviewTable, trialRows } from './tables'

/** Names of the report's files in its folder. */
export const REPORT_FILES = {
  page: 'index.html',
  markdown: 'report.md',
  metrics: 'metrics.json',
  table: 'metrics.csv',
} as const

/** Writes the report in all formats, the page last. */
export function writeReport(directory: string, model: ReportModel): { readonly page: string } {
  const page = join(directory, REPORT_FILES.page)
  writeAtomically(join(directory, REPORT_FILES.table), renderCsv(trialRows(model.summary)))
  writeSealed(join(directory, REPORT_FILES.metrics), reportNumbers(model))
  writeAtomically(join(directory, REPORT_FILES.markdown), renderMarkdown(model))
  writeAtomically(page, renderHtml(model))
  return { page }
}

/** The part of a report's numbers that is read again. */
export const overviewSchema = z.object({ overview: z.array(recordOf(z.union([z.string(), z.number()]))) })
const ADVICE = 'run the study again: it finds its trials and writes the report'

/** Accuracy and cost of every model, as computed when the report was written. */
export function readOverview(directory: string): TableRow[] {
  const file = join(directory, REPORT_FILES.metrics)
  return readSealed(file, overviewSchema, { advice: ADVICE }).overview
}

/** The report's numbers: arms, ablations, selection and one entry per trial. */
export function reportNumbers({ findings, summary }: ReportModel): object {
  const { profile, trials, ...numbers } = summary
  return {
    format: 'study-report/2',
    profile: profile.name,
    findings,
    overview: overviewTable(summary),
    ...numbers,
    trials: trials.map(({ arm, role, seed, mAP50, trial: { config, metrics } }) => ({
      arm,
      role,
      seed,
      mAP50,
      config,
      metrics,
    })),
  }
}
