import { readFileSync } from 'node:fs'
import { unreadable } from './files'
import { jsonErrorAt } from './readers/json-error'
import { lineAt } from './readers/parsed'

/**
 * Reads a file of JSON.
 * @throws Error naming the file, and the line, when it is missing or not JSON
 */
export function readJson(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, cause)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const line = lineAt(text, jsonErrorAt(text))
    throw new Error(
      `${file}: expected JSON (line ${line}: ${error instanceof Error ? error.message : error})`,
    )
  }
}
