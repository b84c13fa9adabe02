/** YAML files that come with the workbook under a name, or are a user's own. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseFinite, readVariant, type Schema, type Variant } from '../base'

/** A kind of documents: what one is called, and the folder of those that come with the workbook. */
export interface NamedFiles {
  readonly kind: string
  readonly folder: string
}

/** Names of those that come with the workbook. */
export function namesOf({ folder }: NamedFiles): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
}

/**
 * Reads one by its name or its file, with what it extends and the assignments of `--set`.
 * @throws Error naming the file and every wrong key
 */
export function readNamed<T>(
  files: NamedFiles,
  schema: Schema<T>,
  nameOrFile: string,
  set: readonly string[],
): { value: T; changes: Variant['changes'] } {
  const fileOf = (name: string, folder = ''): string => {
    const file = name.endsWith('.yaml') ? resolve(folder, name) : join(files.folder, `${name}.yaml`)
    if (existsSync(file)) return file
    throw new Error(
      `${files.kind} ${name}: expected one of ${namesOf(files).join(', ')} or a .yaml file, found neither`,
    )
  }
  const file = fileOf(nameOrFile)
  const { content, changes } = readVariant(file, fileOf, set)
  const place = [file, ...set.map((assignment) => `--set ${assignment}`)].join(' ')
  return { value: parseFinite(content, schema, place, { what: `a valid ${files.kind}` }), changes }
}
