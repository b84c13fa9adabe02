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
import { build, type Graph, newestTensorId } from './build'
import { supportsPrecision } from './device'
import { collectGarbage } from './garbage'
import { adopt, bitsOnHost, nativeBackend, nativeIds, type Tensor, tf, vacate } from './native'
import type { Precision } from './precision'
import { refuseNested } from './recorder'
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

/** Nodes; to record fewer, and to have them optimised, leaves little behind in memory. */
const LARGE = 1000

/** For every variable whose newest value is in a session, what copies that session's state to its variables. */
const holders = new Map<tf.Variable, () => void>()

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
  const graphs = new Map<string, Graph>()
  // The graph that holds the newest state, and the variables' data when it was last in line with them.
  let owner: Graph | undefined
  let known: object[] = []

  const run = (graph: Graph, ids: number[], feeds: string, fetches: string) =>
    nativeBackend().binding.runSavedModel(graph.session, ids, feeds, fetches)
  const pull = (): void => {
    // Once another compiled function has taken the state over, this session's is old.
    if (!owner || !state.some((variable) => holders.get(variable) === pull)) return
    for (const variable of state) if (holders.get(variable) === pull) holders.delete(variable)
    run(owner, [], '', owner.final).forEach((result, i) => {
      // What was assigned from outside since the last call wins over the session's value.
      const variable = state[i]!
      const value = adopt(result)
      if (variable.dataId === known[i] && !variable.isDisposed) variable.assign(value)
      value.dispose()
    })
    known = state.map((variable) => variable.dataId)
  }
  const discard = (results: ReturnType<typeof run>) => {
    for (const { id } of results) nativeBackend().binding.deleteTensor(id)
  }
  const push = (graph: Graph): void => {
    if (state.length > 0) {
      if (owner && owner !== graph) discard(run(owner, [], '', owner.released))
      discard(run(graph, nativeIds([...state]), graph.initial, graph.initialised))
    }
    owner = graph
    known = state.map((variable) => variable.dataId)
  }

  /** The newest state is in this session alone from now on; a second copy of it would only take memory. */
  const hold = (): void => {
    for (const [i, variable] of state.entries()) {
      if (holders.get(variable) === pull) continue
      holders.set(variable, pull)
      vacate(
        variable,
        `${variable.name} is newest in the session of compile(${name}): expected sync() before it is read`,
      )
      known[i] = variable.dataId
    }
  }

  const recorded = (signature: string, form: Form, leaves: readonly Tensor[]): Graph => {
    // Whatever the function captures shall be the newest.
    for (const update of new Set([pull, ...holders.values()])) update()
    const graph = build({ fn, state, precision, name }, form, leaves)
    // The process is largest in its first run, so what recording and loading left goes before.
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
    for (const variable of state) {
      const update = holders.get(variable)
      if (update && update !== pull) update()
    }
    if (owner !== graph || state.some((variable, i) => variable.dataId !== known[i])) {
      pull()
      push(graph)
    }
    const results = fed(leaves, (ids) => run(graph, ids, graph.inputs, graph.outputs))
    if (graph.assigns) hold()
    discard(results.slice(graph.leaves))
    return unflatten(graph.form, results.slice(0, graph.leaves).map(adopt)) as R
  }
  const dispose = () => {
    if (state.some((variable) => !variable.isDisposed)) pull()
    for (const graph of graphs.values()) nativeBackend().binding.deleteSavedModel(graph.session)
    for (const variable of state) if (holders.get(variable) === pull) holders.delete(variable)
    graphs.clear()
    owner = undefined
  }
  return Object.defineProperty(Object.assign(call, { sync: pull, dispose, graphs: 0 }), 'graphs', {
    get: () => graphs.size,
  })
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
