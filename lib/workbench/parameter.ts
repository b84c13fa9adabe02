import type { z } from 'zod'

/**
 * A notebook's parameter from the environment: that of "lambda" is WORKBOOK_LAMBDA, a number or other JSON.
 *
 * @returns undefined where the variable is not set
 * @throws Error naming the variable, with what was expected and what was found
 */
export function parameter<T>(name: string, schema: z.ZodType<T>): T | undefined {
  const variable = `WORKBOOK_${name.toUpperCase()}`
  const text = process.env[variable]
  if (!text) return undefined
  const wrong = (reason: string) => new Error(`${variable}: ${reason}; found ${text}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('expected a number or other JSON')
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw wrong(parsed.error.issues.map(({ message }) => message).join(', '))
}
