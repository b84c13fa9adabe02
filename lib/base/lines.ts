/** Files that grow line by line and may be read meanwhile. */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { spaceError } from './space'

const LINE_FEED = 0x0a

/**
 * Appends lines to a file, all of them or none. Half a line left by a killed process is cut off first.
 *
 * @param text whole lines, each with its line break
 * @throws Error naming file, folder and size if the disk is full
 */
export function appendLines(file: string, text: string): void {
  const bytes = Buffer.from(text)
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'a+')
    const end = endOfLines(descriptor, file)
    try {
      writeFileSync(descriptor, bytes)
    } catch (error) {
      ftruncateSync(descriptor, end)
      throw error
    }
  } catch (error) {
    throw spaceError(error, file, bytes.length)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** Length of a file up to the end of its last whole line; the rest is cut off. */
function endOfLines(descriptor: number, file: string): number {
  const { size } = fstatSync(descriptor)
  const last = Buffer.alloc(1)
  if (size === 0) return 0
  readSync(descriptor, last, 0, 1, size - 1)
  if (last[0] === LINE_FEED) return size
  const end = readFileSync(file).lastIndexOf(LINE_FEED) + 1
  ftruncateSync(descriptor, end)
  return end
}

/** The whole lines of a text with their numbers, from 1. The rest after the last line break is still being written. */
export function wholeLines(text: string): { readonly line: string; readonly number: number }[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line.trim() !== '')
}
