import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MessageChannel } from 'node:worker_threads'

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

/** A port without another end: what is moved to it is gone. */
const { port1: nowhere } = new MessageChannel()
nowhere.close()

/**
 * Frees the memory of arrays at once, unless threads share it. They are empty from then on; tensors made of them must be disposed
 * of before. V8 alone would free it in a collection of its whole heap, and make one after every 64 MB of such memory: for
 * batches of large images every few steps.
 */
export function freeArrays(arrays: readonly Uint8Array[]): void {
  const owned = arrays.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []))
  nowhere.postMessage(undefined, owned)
}
