/** Notebooks to work in: copies of the committed ones, so that trying things out does not change what the commands run. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { readDocument, sha256, writeAtomically } from '../base'
import { joined, readNotebook } from './notebook-file'

/** For every copy, a hash of the cells of its original notebook. */
const copiedSchema = z.record(z.string())

export interface WorkingCopies {
  readonly folder: string
  /** Copies edited by the user whose committed notebooks have changed since. They were left alone. */
  readonly outdated: readonly string[]
}

/**
 * Copies notebooks to a folder, unless there is a copy whose cells somebody has changed. Such a copy is left alone.
 */
export function makeWorkingCopies(notebooks: readonly string[], folder: string): WorkingCopies {
  const record = path.join(folder, '.copied.json')
  const before = new Map(Object.entries(existsSync(record) ? readDocument(record, copiedSchema) : {}))
  const outdated: string[] = []
  const after = notebooks.map((notebook): [string, string] => {
    const name = path.basename(notebook)
    const copy = path.join(folder, name)
    const now = cellsHash(notebook)
    const copied = before.get(name)
    const there = existsSync(copy) ? cellsHash(copy) : undefined
    if (there !== undefined && there !== copied && there !== now) {
      if (copied !== now) outdated.push(copy)
      return [name, copied ?? '']
    }
    if (there !== now) writeAtomically(copy, readFileSync(notebook))
    return [name, now]
  })
  writeAtomically(record, `${JSON.stringify(Object.fromEntries(after), null, 2)}\n`)
  return { folder, outdated }
}

/** A hash of the sources of a notebook's cells: outputs and counters do not count. */
function cellsHash(notebook: string): string {
  const cells = readNotebook(notebook).cells.map(({ cell_type, source }) => [cell_type, joined(source)])
  return sha256(JSON.stringify(cells))
}

/** Modified committed files of a folder; none if that cannot be determined. */
export function changedFiles(folder: string): string[] {
  const status = spawnSync('git', ['status', '--porcelain', '--', folder], { cwd: folder, encoding: 'utf8' })
  if (status.status !== 0) return []
  return status.stdout
    .split('\n')
    .flatMap((line) => (line.length > 3 ? [path.basename(line.slice(3).trim())] : []))
}
