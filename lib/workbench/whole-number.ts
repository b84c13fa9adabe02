import { InvalidArgumentError } from 'commander'

/** Parses an option that counts something. */
export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError(`expected a whole number above 0, found ${text}`)
  return value
}
