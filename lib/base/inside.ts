import { isAbsolute, relative } from 'node:path'

/** The path of a file from a folder that it lies in; undefined if it lies elsewhere. */
export function pathInside(folder: string, file: string): string | undefined {
  const path = relative(folder, file)
  return path.startsWith('..') || isAbsolute(path) ? undefined : path
}
