/** The precisions a graph can compute in, and pinning operations to float32 while recording. */

export type Precision = 'float32' | 'bfloat16' | 'float16'

let pinned = 0

/** Runs `body`; operations recorded inside stay in float32 whatever precision the graph is compiled in. */
export function inFloat32<T>(body: () => T): T {
  pinned++
  try {
    return body()
  } finally {
    pinned--
  }
}

/** Whether an operation recorded now is pinned to float32. */
export function pinnedToFloat32(): boolean {
  return pinned > 0
}
