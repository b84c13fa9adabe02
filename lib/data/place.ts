import { linesOfKeys } from './intake/json-lines'
import { readText } from './intake/text'
import { DatasetError, type Problem } from './problem'

/** Adds the line of each key in a JSON file to the problems; reads each file once more. */
export async function withLines(problems: readonly Problem[]): Promise<Problem[]> {
  const keysOf = new Map<string, string[]>()
  for (const { file, key, line } of problems) {
    if (key === undefined || line !== undefined || !/\.json$/i.test(file)) continue
    const keys = keysOf.get(file)
    if (keys === undefined) keysOf.set(file, [key])
    else keys.push(key)
  }
  const linesOf = new Map<string, ReadonlyMap<string, number>>()
  for (const [file, keys] of keysOf) linesOf.set(file, linesOfKeys(await readText(file), keys))
  return problems.map((problem) => {
    const line = problem.line ?? linesOf.get(problem.file)?.get(problem.key ?? '')
    return line === undefined ? problem : { ...problem, line }
  })
}

/** Runs `work`; if a problem in a JSON file stops it, the error also names the line. */
export async function namingLines<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error
    const [problem] = await withLines([error.problem])
    throw new DatasetError(problem ?? error.problem, error.advice)
  }
}
