import { parseDocument, type Schema } from '../base'

/**
 * A notebook's parameter from the environment: for "lambda" from WORKBOOK_LAMBDA, a number or other JSON.
 *
 * @returns undefined if the variable is not set
 * @throws Error naming the variable, with what was expected and what was found
 */
export function parameter<T>(name: string, schema: Schema<T>): T | undefined {
  const variable = `WORKBOOK_${name.toUpperCase()}`
  const text = process.env[variable]
  if (!text) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error(`${variable}: expected a number or other JSON, found ${text}`)
  }
  return parseDocument(value, schema, variable)
}
