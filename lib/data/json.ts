import { readFileSync } from 'node:fs'

/**
 * Reads a file of JSON.
 * @throws Error naming the file when it is missing or not JSON
 */
export function readJson(file: string): unknown {
  const text = readFileSync(file, 'utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${file}: expected JSON (${error instanceof Error ? error.message : error})`)
  }
}
