/** Copies what a finished trial recorded to the data that come with the workbook. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { TrialResult } from '../trial'

/** Writes a trial's metrics, log, validation curve and record of the scales as `<name>.metrics.json` and so on. */
export function shipRecords(name: string, { folder }: TrialResult, into: string): void {
  const { FILES } = require('../trial') as typeof import('../trial')
  mkdirSync(into, { recursive: true })
  for (const record of [FILES.metrics, FILES.log, FILES.validation, FILES.gammas]) {
    const file = path.join(folder, record)
    if (existsSync(file)) copyFileSync(file, path.join(into, `${name}.${record}`))
  }
}
