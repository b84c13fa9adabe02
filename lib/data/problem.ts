import { oneLine } from '../base'

/** Kinds of errors in a data set. */
export type ProblemKind =
  | 'syntax'
  | 'encoding'
  | 'limit'
  | 'missing file'
  | 'unknown class'
  | 'missing image'
  | 'corrupt image'
  | 'image type'
  | 'wrong size'
  | 'orientation'
  | 'outside image'
  | 'empty box'
  | 'duplicate id'
  | 'duplicate box'
  | 'duplicate image'
  | 'empty split'

/** What is wrong in a file of a data set, and where. */
export interface Problem {
  readonly kind: ProblemKind
  readonly file: string
  /** Line in the file, from 1. */
  readonly line?: number
  /** The key in a file of JSON or YAML, such as "annotations[3].bbox". */
  readonly key?: string
  /** What was expected and what was found. */
  readonly message: string
}

/** Receives the problems that readers find: `refuse` and `throwProblem` stop at the first, a check collects them. */
export type Report = (problem: Problem) => void

/** A problem of a data set, as an error with advice. */
export class DatasetError extends Error {
  override readonly name = 'DatasetError'
  constructor(
    readonly problem: Problem,
    readonly advice = '',
  ) {
    super(describeProblem(problem) + advice)
  }
}

export function refuse(problem: Problem): never {
  throw new DatasetError(problem)
}

export function throwProblem(problem: Problem): never {
  throw new DatasetError(problem, '; `dataset check` lists every problem of the data set')
}

/** "labels/a.xml:12: empty box: expected ..., found ...", or "a.json:5:annotations[3].bbox: ..."; one line. */
export function describeProblem({ file, line, key, kind, message }: Problem): string {
  const place = [file, line, key].filter((part) => part !== undefined && part !== '').join(':')
  return oneLine(`${place}: ${kind}: ${message}`)
}
