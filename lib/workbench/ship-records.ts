/** Copies what a finished trial recorded to the data that come with the workbook. */
import { copyFileSync, existsSync } from 'node:fs'
import path from 'node:path'
import type { TrialResult } from '../trial'

/** Copies a trial's metrics, log, validation curve and record of the scales as `<name>.metrics.json` and so on into a folder that exists. */
export function shipRecords(name: string, { folder }: TrialResult, into: string): void {
  const { FILES } = require('../trial') as typeof import('../trial')
  for (const record of [FILES.metrics, FILES.log, FILES.validation, FILES.gammas]) {
    const file = path.join(folder, record)
    if (existsSync(file)) copyFileSync(file, path.join(into, `${name}.${record}`))
  }
}
