import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/**
 * Collects garbage, in 20 ms. V8 waits until its own heap is full and knows nothing of native memory.
 */
export function collectGarbage(): void {
  if (!collect) {
    // V8 offers no other way to ask for it from inside.
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
