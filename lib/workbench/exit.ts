/** Exit code of a command of whose trials some failed; everything that could be finished is. */
export const SOME_FAILED = 3
