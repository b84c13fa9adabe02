import { type ParseError, parse } from 'jsonc-parser'

/**
 * Where a text stops being JSON, or its length where it is cut off (or is JSON). JSON.parse tells no place for the commonest
 * mistakes, NaN and a comma too many.
 */
export function jsonErrorAt(text: string): number {
  const errors: ParseError[] = []
  parse(text, errors, { disallowComments: true })
  return errors.reduce((first, { offset }) => Math.min(first, offset), text.length)
}
