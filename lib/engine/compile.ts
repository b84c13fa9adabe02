/**
 * `compile`: an eager function becomes a TensorFlow graph.
 *
 * The function runs once eagerly for every input signature (shapes and data types) while its native operations are
 * written down; the graph is then optimised by TensorFlow and replayed, with the state inside its session. The idea
 * is that of tf.function and jax.jit, and so are the rules:
 * - arguments are tensors and become inputs; tensors captured from outside are constants, frozen at the first call;
 * - variables in `state` are read and assigned inside the session; `sync()` copies them back to the variables;
 *   a variable assigned from outside is taken over at the next call;
 * - the function must not read tensors back, and its control flow and shapes must not depend on tensor values.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { supportsPrecision } from './device'
import { barrier, identity, placeholder, savedModel, variableNodes } from './graphdef'
import { adopt, DTYPE, execute, nativeBackend, nativeIds, scoped, type Tensor, tf } from './native'
import { lowerPrecision, type Precision } from './precision'
import { callSite, type GraphNode, type NodeOutput, record, type ValueType } from './recorder'

/** What a compiled function may return: one tensor, or tensors by name. */
export type Outputs = Tensor | { readonly [name: string]: Tensor }

export interface CompileOptions {
  /** Variables that the function reads or assigns. */
  readonly state?: readonly tf.Variable[]
  readonly precision?: Precision
  /** Run the function as it is, for debugging; precision must be float32 then. */
  readonly eager?: boolean
  /** Stands in error messages. */
  readonly name?: string
}

export interface Compiled<A extends readonly Tensor[], R extends Outputs> {
  (...inputs: A): R
  /** Copies the state from the session to the variables. */
  sync(): void
  /** Frees the graphs and their sessions; the variables keep the last synchronised state. */
  dispose(): void
  /** Number of graphs recorded so far, one per input signature. */
  readonly graphs: number
}

interface Graph {
  readonly session: number
  readonly inputNames: string
  readonly stateNames: string
  readonly readNames: string
  readonly outputNames: string
  readonly outputs: readonly (string | undefined)[]
}

/**
 * Compiles `fn`. The result is called like `fn` and gives the same values, in float32 on the CPU bit for bit, but where
 * TensorFlow's graph computes otherwise, within rounding: the gradient of max pooling (oneDNN adds overlapping windows in
 * another order, about 1e-7 relative), division by a constant (a product with its reciprocal) and several constants in a
 * row (folded into one).
 *
 * @throws Error for what cannot be recorded (naming the line that does it) or computed in the asked precision
 */
export function compile<A extends readonly Tensor[], R extends Outputs>(
  fn: (...inputs: A) => R,
  options: CompileOptions = {},
): Compiled<A, R> {
  const { state = [], precision = 'float32', eager = false, name = fn.name || 'function' } = options
  if (eager) {
    if (precision !== 'float32') {
      throw new Error(`compile(${name}): eager execution is float32 only, found precision "${precision}"`)
    }
    // As in a graph, what is returned belongs to the caller, so inputs and variables are returned as copies.
    const run = (...inputs: A): R =>
      tf.tidy(() => {
        const newest = newestTensorId()
        const outputs = namedOutputs(fn(...inputs))
        const own = outputs.map(([, tensor]) => (tensor.id > newest ? tensor : tensor.clone()))
        return pack<R>(
          own,
          outputs.map(([key]) => key),
        )
      })
    return Object.assign(run, {
      sync: () => {},
      dispose: () => {},
      graphs: 0,
    })
  }
  const supported = supportsPrecision(precision)
  if (supported !== true) {
    throw new Error(
      `compile(${name}): precision "${precision}" cannot be had here: ${supported}; choose "float32"`,
    )
  }
  const graphs = new Map<string, Graph>()
  // The session that holds the newest state, and the variables' data when it was last in line with them.
  let owner: Graph | undefined
  let known: object[] = []

  const pull = (): void => {
    if (!owner || state.length === 0) return
    const results = nativeBackend().binding.runSavedModel(owner.session, [], '', owner.readNames)
    results.forEach((result, i) => {
      // What was assigned from outside since the last call wins over the session's value.
      const variable = state[i]!
      const value = adopt(result)
      if (variable.dataId === known[i]) variable.assign(value)
      value.dispose()
    })
    known = state.map((variable) => variable.dataId)
  }
  const push = (graph: Graph): void => {
    if (state.length > 0) {
      const ids = nativeIds([...state])
      const [done] = nativeBackend().binding.runSavedModel(
        graph.session,
        ids,
        graph.stateNames,
        'state/initialised:0',
      )
      if (done) nativeBackend().binding.deleteTensor(done.id)
    }
    owner = graph
    known = state.map((variable) => variable.dataId)
  }

  const call = (...inputs: A): R => {
    const signature = inputs.map((input) => `${input.dtype}[${input.shape}]`).join(' ')
    let graph = graphs.get(signature)
    if (!graph) {
      pull()
      owner = undefined
      graph = build(fn, inputs, state, precision, name)
      graphs.set(signature, graph)
    }
    if (owner !== graph || state.some((variable, i) => variable.dataId !== known[i])) {
      pull()
      push(graph)
    }
    const backend = nativeBackend()
    const results = backend.binding.runSavedModel(
      graph.session,
      nativeIds([...inputs]),
      graph.inputNames,
      graph.outputNames,
    )
    const tensors = results.slice(0, graph.outputs.length).map(adopt)
    for (const done of results.slice(graph.outputs.length)) backend.binding.deleteTensor(done.id)
    return pack<R>(tensors, graph.outputs)
  }
  return Object.defineProperty(
    Object.assign(call, {
      sync: pull,
      dispose: () => {
        for (const graph of graphs.values()) nativeBackend().binding.deleteSavedModel(graph.session)
        graphs.clear()
        owner = undefined
      },
      graphs: 0,
    }),
    'graphs',
    { get: () => graphs.size },
  )
}

function namedOutputs(value: Outputs): readonly (readonly [string | undefined, Tensor])[] {
  return value instanceof tf.Tensor ? [[undefined, value]] : Object.entries(value)
}

function pack<R extends Outputs>(tensors: Tensor[], names: readonly (string | undefined)[]): R {
  const outputs: Outputs =
    names[0] === undefined ? tensors[0]! : Object.fromEntries(names.map((name, i) => [name, tensors[i]!]))
  return outputs as R
}

function build<A extends readonly Tensor[], R extends Outputs>(
  fn: (...inputs: A) => R,
  inputs: A,
  state: readonly tf.Variable[],
  precision: Precision,
  name: string,
): Graph {
  const { arguments: own, copies } = distinct(inputs, state)
  const inputIds = nativeIds([...own])
  const stateIds = nativeIds([...state])
  const known = new Map<number, NodeOutput>()
  stateIds.forEach((id, i) => {
    known.set(id, { node: `state/${i}/value`, index: 0 })
  })
  inputIds.forEach((id, i) => {
    known.set(id, { node: `input/${i}`, index: 0 })
  })

  const typeOf = (tensor: Tensor): ValueType => ({ dtype: dtypeNumber(tensor), shape: tensor.shape })
  const types = new Map<number, ValueType>([
    ...stateIds.map((id, i): [number, ValueType] => [id, typeOf(state[i]!)]),
    ...inputIds.map((id, i): [number, ValueType] => [id, typeOf(inputs[i]!)]),
  ])

  // The recording run changes the state; the graph starts again from here.
  const before = state.map((variable) => tf.keep(variable.clone()))
  const newest = newestTensorId()
  const run = () => {
    const { value, nodes, outputOf } = record(known, types, () => fn(...own))
    const named = namedOutputs(value)
    const outputs = nativeIds(named.map(([, tensor]) => tensor)).map(outputOf)
    // Outputs may have been kept past the scope (terms of a loss, from inside a gradient function); inputs and captured
    // tensors may be outputs too, and stay.
    for (const [, tensor] of named) if (tensor.id > newest) tensor.dispose()
    return {
      nodes,
      names: named.map(([key]) => key),
      outputs,
      assigned: nativeIds([...state]).map((id, i) => (id === stateIds[i] ? undefined : outputOf(id))),
    }
  }
  let recording: ReturnType<typeof run>
  try {
    recording = scoped(run)
  } finally {
    state.forEach((variable, i) => {
      variable.assign(before[i]!)
      before[i]!.dispose()
    })
    tf.dispose(copies)
  }

  const targets = [
    ...recording.outputs,
    ...recording.assigned.filter((a): a is NodeOutput => a !== undefined),
  ]
  const needed = reachable(recording.nodes, targets)
  const lowered =
    precision === 'float32' ? { nodes: needed, outputs: targets } : lowerPrecision(needed, targets, precision)
  // TensorFlow refuses to return what it is fed, so an input that is returned goes through a node of its own.
  const passed: GraphNode[] = []
  const fetched = lowered.outputs.slice(0, recording.outputs.length).map((output) => {
    const index = inputs.findIndex((_, i) => output.node === `input/${i}`)
    if (index < 0) return output
    const node = identity(`output/${passed.length}`, output, dtypeNumber(inputs[index]!))
    passed.push(node)
    return { node: node.name, index: 0 }
  })
  const values = lowered.outputs.slice(recording.outputs.length)

  const variables = state.map((variable, i) => variableNodes(`state/${i}`, variable.shape))
  const assigns: GraphNode[] = []
  recording.assigned.forEach((assigned, i) => {
    if (assigned) assigns.push(variables[i]!.assign('assign', values[assigns.length]!, [`state/${i}/value`]))
  })
  const initials = state.map((variable, i) =>
    placeholder(`state/${i}/initial`, DTYPE.float32, variable.shape),
  )
  const initialise = variables.map((variable, i) =>
    variable.assign('initialise', { node: `state/${i}/initial`, index: 0 }, []),
  )
  const nodes = [
    ...inputs.map((input, i) => placeholder(`input/${i}`, dtypeNumber(input), input.shape)),
    ...initials,
    ...variables.flatMap((variable) => [variable.handle, variable.read('value'), variable.read('final')]),
    ...lowered.nodes,
    ...passed,
    ...assigns,
    ...initialise,
    barrier(
      'state/initialised',
      initialise.map((node) => node.name),
    ),
    barrier(
      'state/assigned',
      assigns.map((node) => node.name),
    ),
  ]
  const list = (names: readonly string[]) => names.map((node) => `${node}:0`).join(',')
  return {
    session: load(nodes, name),
    inputNames: list(inputs.map((_, i) => `input/${i}`)),
    stateNames: list(state.map((_, i) => `state/${i}/initial`)),
    readNames: list(state.map((_, i) => `state/${i}/final`)),
    outputNames: [...fetched.map(({ node, index }) => `${node}:${index}`), 'state/assigned:0'].join(','),
    outputs: recording.names,
  }
}

/**
 * The recorder tells inputs and variables apart by their native tensors, which clones and variables assigned from one
 * tensor share. Gives every one its own; `copies` are to be disposed of.
 */
function distinct<A extends readonly Tensor[]>(inputs: A, state: readonly tf.Variable[]) {
  const taken = new Set<number>()
  const isTaken = (tensor: Tensor) => {
    const [id] = nativeIds([tensor]) as [number]
    const found = taken.has(id)
    taken.add(id)
    return found
  }
  const copy = (tensor: Tensor) => execute('Identity', [], [tensor])[0]!
  for (const variable of state) {
    if (!isTaken(variable)) continue
    const own = copy(variable)
    variable.assign(own)
    own.dispose()
    isTaken(variable)
  }
  const copies: Tensor[] = []
  const separate = inputs.map((input) => {
    if (!isTaken(input)) return input
    const own = copy(input)
    copies.push(own)
    return own
  })
  return { arguments: separate as readonly Tensor[] as A, copies }
}

/** tfjs numbers its tensors in the order in which they are made. */
function newestTensorId(): number {
  const probe = tf.scalar(0)
  probe.dispose()
  return probe.id
}

function dtypeNumber(tensor: Tensor): number {
  const { dtype } = tensor
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new Error(`compile: expected tensors of float32, int32 or bool, found ${dtype}`)
  }
  return DTYPE[dtype]
}

/** The nodes that the targets depend on, in their order. */
function reachable(nodes: readonly GraphNode[], targets: readonly NodeOutput[]): GraphNode[] {
  const wanted = new Set(targets.map((target) => target.node))
  const kept: GraphNode[] = []
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!
    if (!wanted.has(node.name)) continue
    kept.push(node)
    for (const input of node.inputs) wanted.add(input.node)
  }
  return kept.reverse()
}

function load(nodes: readonly GraphNode[], name: string): number {
  const directory = mkdtempSync(join(tmpdir(), 'graph-'))
  try {
    writeFileSync(join(directory, 'saved_model.pb'), savedModel(nodes))
    return nativeBackend().binding.loadSavedModel(directory, 'serve')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const blamed = nodes.find((node) => node.origin && new RegExp(`\\b${node.name}\\b`).test(message))
    const place = blamed ? ` (operation ${blamed.operation} called at ${callSite(blamed.origin)})` : ''
    throw new Error(`compile(${name}): TensorFlow refused the recorded graph: ${message}${place}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
