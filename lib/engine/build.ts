/** From a function to a graph that TensorFlow has loaded: recording, state, precision, session. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { delayed } from './delay'
import { barrier, bitsAsFloat32, identity, placeholder, savedModel } from './graphdef'
import { guarded } from './guard'
import { momentumSteps } from './in-place'
import { DTYPE, execute, nativeBackend, nativeIds, scoped, type Tensor, tf } from './native'
import { lowerPrecision, type Precision } from './precision'
import { recomputed } from './recompute'
import {
  callSite,
  type GraphNode,
  keyOf,
  type NodeOutput,
  type OutputOf,
  record,
  ValuesNeeded,
  type ValueType,
} from './recorder'
import { stateOf } from './state'
import { type Form, flatten, type Tree, unflatten } from './tree'

/**
 * A loaded graph: its session, what to feed (float32 inputs as their bits, see bitsOnHost; the state as it is) and to fetch
 * (names with commas between), and the form of its results.
 */
export interface Graph {
  readonly session: number
  readonly inputs: string
  readonly outputs: string
  /** Feeding and fetching of the state, and what frees its memory. */
  readonly initial: string
  readonly initialised: string
  readonly final: string
  readonly released: string
  /** Whether a run changes the state. */
  readonly assigns: boolean
  readonly form: Form
  readonly leaves: number
  readonly nodes: number
}

export interface Source<A extends readonly Tree[], R extends Tree> {
  readonly fn: (...inputs: A) => R
  readonly state: readonly tf.Variable[]
  readonly precision: Precision
  readonly name: string
}

const INITIALISED = 'state/initialised'
const ASSIGNED = 'state/assigned'
const RELEASED = 'state/released'

/**
 * Records `fn` on these inputs and loads the graph.
 *
 * @param form of the inputs, and their tensors
 */
export function build<A extends readonly Tree[], R extends Tree>(
  { fn, state, precision, name }: Source<A, R>,
  form: Form,
  inputs: readonly Tensor[],
): Graph {
  const types = state.map(typeOf)
  const kept = stateOf(types)
  const recording = recordOn({ fn, state, name, form, inputs, values: kept.values })
  const outputs = recording.outputs.length
  const targets = [...recording.outputs, ...recording.assigned.flatMap((value) => value ?? [])]
  const needed = reachable(recording.nodes, targets)
  const lowered =
    precision === 'float32' ? { nodes: needed, outputs: targets } : lowerPrecision(needed, targets, precision)
  const results = lowered.outputs.slice(0, outputs)
  // TensorFlow refuses to return what it is fed, so an input that is returned goes through a node of its own.
  const passed: GraphNode[] = []
  const fetched = results.map((output) => {
    const index = inputs.findIndex((_, i) => output.node === inputName(i))
    if (index < 0) return output
    const node = identity(`output/${passed.length}`, output, dtypeNumber(inputs[index]!))
    passed.push(node)
    return { node: node.name, index: 0 }
  })
  let position = outputs
  const next = recording.assigned.map((value) => value && lowered.outputs[position++]!)
  const namesOf = (values: readonly NodeOutput[]) => new Set(values.map(({ node }) => node))
  const steps = momentumSteps(
    lowered.nodes,
    next.map((value, i) => {
      const handle = kept.handles[i]
      return value && handle ? { handle, value: kept.values[i]!, next: value } : undefined
    }),
    namesOf(results),
  )
  for (const { weight, momentum } of steps) next[weight] = next[momentum] = undefined
  const assigns = [...kept.assign(next), ...steps.map(({ step }) => step)]
  const taken = [
    ...results,
    ...next.flatMap((value) => value ?? []),
    ...steps.flatMap(({ step }) => step.inputs),
  ]
  const entries = inputs.map((input, i) => entry(i, input))
  const ends = {
    inputs: new Set(inputs.map((_, i) => inputName(i))),
    state: namesOf(kept.values),
    outputs: namesOf(taken),
  }
  const body = reachable(lowered.nodes, taken)
  const nodes = [
    ...entries.flat(),
    ...kept.nodes,
    ...delayed(recomputed(body, ends), ends),
    ...passed,
    ...assigns,
    barrier(INITIALISED, kept.initialise),
    barrier(
      ASSIGNED,
      assigns.map((node) => node.name),
    ),
    barrier(RELEASED, kept.release),
  ]
  const list = (values: readonly NodeOutput[]) => values.map(keyOf).join(',')
  const one = (node: string) => list([{ node, index: 0 }])
  return {
    session: load(nodes, name),
    inputs: list(entries.map(([fed]) => ({ node: fed.name, index: 0 }))),
    outputs: [...fetched, { node: ASSIGNED, index: 0 }].map((output) => list([output])).join(','),
    initial: list(kept.initial),
    initialised: one(INITIALISED),
    final: list(kept.final),
    released: one(RELEASED),
    assigns: assigns.length > 0,
    form: recording.form,
    leaves: outputs,
    nodes: nodes.length,
  }
}

const inputName = (i: number): string => `input/${i}`

/** The nodes that bring an input into the graph; the first is fed, float32 as its bits (see bitsOnHost). */
function entry(i: number, input: Tensor): [GraphNode, ...GraphNode[]] {
  if (input.dtype !== 'float32') return [placeholder(inputName(i), dtypeNumber(input), input.shape)]
  const bits = placeholder(`${inputName(i)}/bits`, DTYPE.int32, input.shape)
  return [bits, bitsAsFloat32(inputName(i), { node: bits.name, index: 0 })]
}

/** Runs the function under the recorder; the state is as before afterwards, whatever happens. */
function recordOn<A extends readonly Tree[], R extends Tree>({
  fn,
  state,
  name,
  form,
  inputs,
  values,
}: Omit<Source<A, R>, 'precision'> & {
  form: Form
  inputs: readonly Tensor[]
  values: readonly NodeOutput[]
}) {
  const { own, copies } = distinct(inputs, state)
  const inputIds = nativeIds(own)
  const stateIds = nativeIds([...state])
  const known = new Map<number, NodeOutput>([
    ...stateIds.map((id, i): [number, NodeOutput] => [id, values[i]!]),
    ...inputIds.map((id, i): [number, NodeOutput] => [id, { node: inputName(i), index: 0 }]),
  ])
  const types = new Map<number, ValueType>([
    ...stateIds.map((id, i): [number, ValueType] => [id, typeOf(state[i]!)]),
    ...inputIds.map((id, i): [number, ValueType] => [id, typeOf(inputs[i]!)]),
  ])
  // The recording run changes the state; the graph starts again from here.
  const before = state.map((variable) => tf.keep(variable.clone()))
  const newest = newestTensorId()
  const isKept = (variable: tf.Variable) => state.includes(variable) || variable.id > newest
  const body = () => flatten(fn(...(unflatten(form, own) as Tree as A)), `compile(${name}): result`)
  const run = (outputOf: OutputOf) => {
    try {
      return scoped(() => {
        const result = guarded({ isKept, inputs: own }, body)
        const outputs = nativeIds(result.leaves).map(outputOf)
        // Outputs may have been kept past the scope (terms of a loss, from inside a gradient function); inputs and captured
        // tensors may be outputs too, and stay.
        for (const tensor of result.leaves) if (tensor.id > newest) tensor.dispose()
        const assigned = nativeIds([...state]).map((id, i) => (id === stateIds[i] ? undefined : outputOf(id)))
        return { outputs, form: result.form, assigned }
      })
    } finally {
      for (const [i, variable] of state.entries()) variable.assign(before[i]!)
    }
  }
  const recorded = (withValues: boolean) => {
    const { value, nodes } = record(known, types, run, { withValues })
    return { ...value, nodes }
  }
  try {
    return recorded(false)
  } catch (error) {
    if (error instanceof ValuesNeeded) return recorded(true)
    throw error
  } finally {
    tf.dispose([...before, ...copies])
  }
}

/**
 * The recorder tells inputs and variables apart by their native tensors, which clones and variables assigned from one
 * tensor share. Gives every one its own; `copies` are to be disposed of.
 */
function distinct(inputs: readonly Tensor[], state: readonly tf.Variable[]) {
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
  const own = inputs.map((input) => {
    if (!isTaken(input)) return input
    const separate = copy(input)
    copies.push(separate)
    return separate
  })
  return { own, copies }
}

/** tfjs numbers its tensors in the order in which they are made. */
export function newestTensorId(): number {
  const probe = tf.scalar(0)
  probe.dispose()
  return probe.id
}

const typeOf = (tensor: Tensor): ValueType => ({ dtype: dtypeNumber(tensor), shape: tensor.shape })

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
