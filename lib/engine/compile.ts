/**
 * `compile`: an eager function becomes a TensorFlow graph.
 *
 * The function runs once eagerly for every input signature (shapes and data types) while its native operations are
 * written down, on large tensors without values (hollow.ts); the graph is then optimised by TensorFlow and replayed, with
 * the state inside its session. The idea is that of tf.function and jax.jit, and so are the rules:
 * - arguments are tensors, or arrays and objects of them, and become inputs; tensors captured from outside are constants
 *   and JavaScript values are as they were, both frozen at the first call;
 * - variables in `state` are read and assigned inside the session, and cannot be read outside until `sync()` has copied them
 *   back; a variable assigned from outside, or by another compiled function, is taken over at the next call;
 * - the function must not read tensors back, draw random numbers, assign other variables, dispose of its arguments or keep
 *   tensors that it does not return, and its control flow and shapes must not depend on tensor values.
 */
import { build, type LoadedGraph } from './build'
import { supportsPrecision } from './device'
import { collectGarbage } from './garbage'
import { adopt, bitsOnHost, nativeBackend, nativeIds, newestTensorId, type Tensor, tf } from './native'
import type { Precision } from './precision'
import { refuseNested } from './recorder'
import { discard, pullAll, runGraph, SessionState } from './session-state'
import { type Form, flatten, type Tree, unflatten } from './tree'

export interface CompileOptions {
  /** Variables that the function reads or assigns. */
  readonly state?: readonly tf.Variable[]
  readonly precision?: Precision
  /** Run the function as it is, for debugging; precision must be float32 then. */
  readonly eager?: boolean
  /** Stands in error messages. */
  readonly name?: string
}

export interface Compiled<A extends readonly Tree[], R extends Tree> {
  (...inputs: A): R
  /** Copies the state from the session to the variables, which have none until then. */
  sync(): void
  /** Does the same, and frees the graphs and their sessions. */
  dispose(): void
  /** Number of graphs recorded so far, one per input signature. */
  readonly graphs: number
}

/** Nodes; to record fewer leaves little behind in memory. */
const LARGE = 1000

/**
 * Compiles `fn`. The result is called like `fn` and gives the same values, in float32 on the CPU bit for bit, but where
 * TensorFlow's graph computes otherwise, within rounding: the gradient of max pooling (oneDNN adds overlapping windows in
 * another order, about 1e-7 relative), softmax (oneDNN's in a graph), sums of three and more by addN (in another order), division
 * by a constant (a product with its reciprocal) and several constants in a row (folded into one).
 *
 * @throws Error for what cannot be recorded (naming the line that does it) or computed in the asked precision
 */
export function compile<A extends readonly Tree[], R extends Tree>(
  fn: (...inputs: A) => R,
  options: CompileOptions = {},
): Compiled<A, R> {
  const { state: given = [], precision = 'float32', eager = false, name = fn.name || 'function' } = options
  if (eager) {
    if (precision !== 'float32') {
      throw new Error(`compile(${name}): eager execution is float32 only, found precision "${precision}"`)
    }
    return Object.assign(eagerly(fn), { sync: () => {}, dispose: () => {}, graphs: 0 })
  }
  const supported = supportsPrecision(precision)
  if (supported !== true) {
    throw new Error(
      `compile(${name}): precision "${precision}" cannot be had here: ${supported}; choose "float32"`,
    )
  }
  const state = [...new Set(given)]
  const held = new SessionState(state, name)
  /** By signature. */
  const graphs = new Map<string, LoadedGraph>()

  const recorded = (signature: string, form: Form, leaves: readonly Tensor[]): LoadedGraph => {
    // Whatever the function captures shall be the newest.
    pullAll()
    const graph = build({ fn, state, name }, precision, form, leaves)
    // A process is largest in a graph's first run, so what recording and loading left goes before.
    if (graph.nodes >= LARGE) collectGarbage()
    graphs.set(signature, graph)
    return graph
  }
  const call = (...inputs: A): R => {
    refuseNested()
    const { leaves, form } = flatten(inputs, `compile(${name}): arguments`)
    const lost = state.find((variable) => variable.isDisposed)
    if (lost) throw new Error(`compile(${name}): expected ${lost.name} of \`state\`, which was disposed of`)
    const signature = `${JSON.stringify(form)} ${leaves.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(' ')}`
    const graph = graphs.get(signature) ?? recorded(signature, form, leaves)
    held.moveTo(graph)
    const results = fed(leaves, (ids) => runGraph(graph, ids, graph.inputs, graph.outputs))
    if (graph.assigns) held.hold()
    discard(results.slice(graph.leaves))
    return unflatten(graph.form, results.slice(0, graph.leaves).map(adopt)) as R
  }
  const dispose = () => {
    held.leave()
    for (const { session } of graphs.values()) nativeBackend().binding.deleteSavedModel(session)
    graphs.clear()
  }
  return Object.defineProperty(
    Object.assign(call, { sync: () => held.pull(), dispose, graphs: 0 }),
    'graphs',
    {
      get: () => graphs.size,
    },
  )
}

/** Calls `body` with the native tensors to feed for the inputs of a graph. */
function fed<T>(inputs: readonly Tensor[], body: (ids: number[]) => T): T {
  const bits: number[] = []
  try {
    const ids = inputs.map((input) => {
      if (input.dtype !== 'float32') return nativeIds([input])[0]!
      const id = bitsOnHost(input)
      bits.push(id)
      return id
    })
    return body(ids)
  } finally {
    for (const id of bits) nativeBackend().binding.deleteTensor(id)
  }
}

/** As in a graph, what is returned belongs to the caller, so inputs and variables are returned as copies. */
function eagerly<A extends readonly Tree[], R extends Tree>(fn: (...inputs: A) => R) {
  return (...inputs: A): R => {
    let form: Form = []
    const results = tf.tidy(() => {
      const newest = newestTensorId()
      const found = flatten(fn(...inputs), 'result')
      form = found.form
      return found.leaves.map((tensor) => (tensor.id > newest ? tensor : tensor.clone()))
    })
    return unflatten(form, results) as R
  }
}
