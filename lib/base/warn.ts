const HEAD = 'warning: '
const said = new Set<string>()

/** Prints a warning on standard error, once per process: something was wrong and was repaired, or may mislead. */
export function warn(text: string): void {
  if (said.has(text)) return
  said.add(text)
  console.error(`${HEAD}${text}`)
}

/** Whether a line from another process is such a warning. */
export const isWarning = (line: string): boolean => line.startsWith(HEAD)
