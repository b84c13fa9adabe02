import { showMarkdown } from './display'

/**
 * A check for the reader: shows what was verified, or stops the notebook.
 * @throws Error with the claim and what was found, when it does not hold
 */
export function verify(claim: string, holds: boolean, found = ''): void {
  if (!holds) throw new Error(`does not hold: ${claim}${found && `; found ${found}`}`)
  showMarkdown`✓ ${claim}${found && ` (${found})`}`
}

/** Whether two numbers agree to a relative tolerance, or near 0 to the tolerance itself. */
export function agree(a: number, b: number, tolerance = 1e-4): boolean {
  return Math.abs(a - b) <= tolerance * Math.max(1e-3, Math.abs(a), Math.abs(b))
}
