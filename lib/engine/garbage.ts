import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes; collecting less is not worth the 20 ms. */
const WORTHWHILE = 2 ** 24

let collect: (() => void) | undefined

/**
 * Runs `body`, and collects what it left behind when that is much: V8 lets garbage lie until its heap is full, beside the native
 * memory, of which it knows nothing.
 */
export function tidied<T>(body: () => T): T {
  const before = getHeapStatistics().used_heap_size
  const result = body()
  if (getHeapStatistics().used_heap_size - before >= WORTHWHILE) {
    // V8 has no other way to be asked from inside.
    if (!collect) {
      setFlagsFromString('--expose-gc')
      collect = runInNewContext('gc') as () => void
    }
    collect()
  }
  return result
}
