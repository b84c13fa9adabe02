/**
 * `compile` turns an eager function into a TensorFlow graph.
 *
 * The function runs eagerly once per input signature (shapes and data types). Meanwhile its native operations are recorded, on
 * large tensors without values (hollow.ts). TensorFlow then optimises the graph and replays it, keeping the state inside its
 * session. The idea is that of tf.function and jax.jit, and so are the rules:
 * - arguments are tensors, or arrays and objects of them, and become inputs; tensors captured from outside become constants;
 *   these and JavaScript values are frozen at the first call;
 * - variables in `state` are read and assigned inside the session and cannot be read outside until `sync()` has copied them
 *   back; the next call picks up a variable that was assigned from outside or by another compiled function;
 * - the function must not read tensors back, draw random numbers, assign other variables, dispose of its arguments or keep
 *   tensors that it does not return, and its control flow and shapes must not depend on tensor values.
 */
import { build, type GraphSize, type LoadedGraph } from './build'
import { supportsPrecision } from './device'
import { collectGarbage } from './garbage'
import {
  adopt,
  bitsOnHost,
  DTYPE,
  isWholeWords,
  nativeBackend,
  nativeIds,
  nativeType,
  newestTensorId,
  type Tensor,
  tf,
} from './native'
import type { Precision } from './precision'
import { refuseNested } from './recorder'
import { discard, pullAll, runGraph, SessionState } from './session-state'
import { type Form, flatten, type Tree, unflatten } from './tree'

/** How a function becomes a graph. */
export interface CompileOptions {
  /** Variables that the function reads or assigns. Those of a list within the list are one vector in the session, see joined.ts. */
  readonly state?: readonly (tf.Variable | readonly tf.Variable[])[]
  readonly precision?: Precision
  /** Runs the function uncompiled, for debugging; needs precision float32. */
  readonly eager?: boolean
  /** Used in error messages. */
  readonly name?: string
}

/** A function that runs as a graph, one for every signature of its inputs. */
export interface Compiled<A extends readonly Tree[], R extends Tree> {
  (...inputs: A): R
  /** Copies the state from the session to the variables, which have no values until then. */
  sync(): void
  /** Does the same, and frees the graphs and their sessions. */
  dispose(): void
  /** The graphs recorded so far, one per input signature. */
  readonly graphs: readonly GraphSize[]
}

/** Number of operations; recording fewer leaves little garbage. */
const LARGE = 500

/**
 * Compiles `fn`. The result is called like `fn` and gives the same values: on the CPU in float32 the same bits, except
 * where TensorFlow's graph rounds differently. Those are the gradient of max pooling (oneDNN adds overlapping windows in
 * another order, about 1e-7 relative), softmax (oneDNN's in a graph), addN of three or more (another order), division by
 * a constant (multiplication by its reciprocal) and several constants in a row (folded into one).
 *
 * @throws Error for what cannot be recorded (naming the line) or not computed in the requested precision
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
    return Object.assign(eagerly(fn), { sync: () => {}, dispose: () => {}, graphs: [] })
  }
  const supported = supportsPrecision(precision)
  if (supported !== true) {
    throw new Error(
      `compile(${name}): precision "${precision}" is not available here: ${supported}; choose "float32"`,
    )
  }
  const groups = groupsOf(given)
  const state = groups.flat()
  const held = new SessionState(groups, name)
  /** By signature. */
  const graphs = new Map<string, LoadedGraph>()

  const recorded = (signature: string, form: Form, leaves: readonly Tensor[]): LoadedGraph => {
    // The function must capture the newest values.
    pullAll()
    const graph = build({ fn, state: groups, name }, precision, form, leaves)
    // A process needs most memory in a graph's first run, so free what recording and loading left behind first.
    if (graph.size.operations >= LARGE) collectGarbage()
    graphs.set(signature, graph)
    return graph
  }
  const call = (...inputs: A): R => {
    refuseNested()
    const { leaves, form } = flatten(inputs, `compile(${name}): arguments`)
    const lost = state.find((variable) => variable.isDisposed)
    if (lost) throw new Error(`compile(${name}): expected ${lost.name} of \`state\`, which was disposed of`)
    const signature = `${JSON.stringify(form)} ${leaves.map((leaf) => `${nativeType(leaf)}[${leaf.shape}]`).join(' ')}`
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
    Object.assign(call, { sync: () => held.pull(), dispose, graphs: [] }),
    'graphs',
    {
      get: () => [...graphs.values()].map(({ size }) => size),
    },
  )
}

/** Lists of variables, each once. */
function groupsOf(state: readonly (tf.Variable | readonly tf.Variable[])[]): tf.Variable[][] {
  const seen = new Set<tf.Variable>()
  const isNew = (variable: tf.Variable) => !seen.has(variable) && seen.add(variable)
  return state
    .map((one) => (one instanceof tf.Variable ? [one] : one).filter(isNew))
    .filter(({ length }) => length > 0)
}

/** Calls `body` with the native tensors to feed as the inputs of a graph. */
function fed<T>(inputs: readonly Tensor[], body: (ids: number[]) => T): T {
  const bits: number[] = []
  try {
    const ids = inputs.map((input) => {
      const isBytes = nativeType(input) === DTYPE.uint8
      if (isBytes ? !isWholeWords(input) : input.dtype !== 'float32') return nativeIds([input])[0]!
      const id = bitsOnHost(input)
      bits.push(id)
      return id
    })
    return body(ids)
  } finally {
    for (const id of bits) nativeBackend().binding.deleteTensor(id)
  }
}

/** As with a graph, results belong to the caller, so inputs and variables are returned as copies. */
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
