/** Export: a file is written beside its place, proved, described, and only then moved there. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type FileRequest, formatOfFile, type Model, writeModel } from './files'
import { instructions } from './instructions'
import type { Metadata } from './metadata'
import { type Proof, type ProofData, type ProofOptions, prove, unprovable } from './proof'

/** What an export has written, and its proof. */
export interface Exported {
  readonly metadata: Metadata
  /** All that was written, by name. */
  readonly files: readonly string[]
  /** Of the model, without what describes it. */
  readonly bytes: number
  /** Or why there is none. */
  readonly proof: Proof | string
}

/**
 * Writes a model as `out`, proves it on frames of the data, and leaves it there with a README of how to run it.
 *
 * @throws Error where the file is not what the model computes; nothing is left then
 */
export async function exportModel(
  model: Model,
  out: string,
  request: FileRequest,
  data: ProofData,
  options: ProofOptions = {},
): Promise<Exported> {
  checkPlace(out)
  mkdirSync(dirname(out), { recursive: true })
  const folder = mkdtempSync(join(dirname(out), '.export-'))
  try {
    const draft = join(folder, basename(out))
    const metadata = writeModel(model, draft, request)
    const bytes = sizeOf(folder)
    const proof = unprovable(request) ?? (await prove(model, draft, request, metadata, data, options))
    const isFolder = statSync(draft).isDirectory()
    const readme = isFolder ? join(draft, 'README.md') : `${draft}.README.md`
    writeFileSync(readme, instructions(basename(out), request.format, metadata))
    return { metadata, files: moved(folder, dirname(out), basename(out)), bytes, proof }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A folder is replaced only where it is an export. */
function checkPlace(out: string): void {
  if (!existsSync(out) || !statSync(out).isDirectory() || readdirSync(out).length === 0) return
  const format = existsSync(join(out, 'saved_model.pb')) || existsSync(join(out, 'model.json'))
  if (format && formatOfFile(out)) return
  throw new Error(
    `${out}: expected a new folder, or one of an earlier export, found one with other files in it`,
  )
}

/** Moves everything to its place, the named file last: who finds it finds the others. */
function moved(from: string, to: string, last: string): string[] {
  const names = readdirSync(from).sort((a, b) => Number(a === last) - Number(b === last))
  return names.map((name) => {
    const place = join(to, name)
    if (existsSync(place) && statSync(place).isDirectory()) rmSync(place, { recursive: true })
    renameSync(join(from, name), place)
    return place
  })
}

/** Bytes of a file, or of all in a folder. */
export function sizeOf(place: string): number {
  if (!statSync(place).isDirectory()) return statSync(place).size
  return readdirSync(place).reduce((sum, name) => sum + sizeOf(join(place, name)), 0)
}
