/** Runs a function once under the recorder, turning JavaScript into the nodes of a graph. */
import type { GraphNode, NodeOutput, ValueType } from './graph'
import { guarded } from './guard'
import { execute, nativeIds, nativeType, newestTensorId, scoped, type Tensor, tf } from './native'
import { type Known, type OutputOf, record, ValuesNeeded } from './recorder'
import { type Form, flatten, type Tree, unflatten } from './tree'

/** A function to be compiled. */
export interface Source<A extends readonly Tree[], R extends Tree> {
  readonly fn: (...inputs: A) => R
  /** Variables that it reads or assigns, in groups. */
  readonly state: readonly (readonly tf.Variable[])[]
  /** Used in error messages. */
  readonly name: string
}

/** The tensors that a function is called with, as the leaves of its arguments, and the values of the state. */
export interface Call {
  readonly form: Form
  readonly inputs: readonly Tensor[]
  /** The inputs' values in the graph. */
  readonly inputValues: readonly NodeOutput[]
  /** The variables' values in the graph, before a run, group by group. */
  readonly stateValues: readonly NodeOutput[]
}

/** What a function does. */
export interface Trace {
  readonly nodes: readonly GraphNode[]
  /** Its result: the values of the leaves, and the form. */
  readonly outputs: readonly NodeOutput[]
  readonly form: Form
  /** The values assigned to the variables, group by group; undefined where none is. */
  readonly assigned: readonly (NodeOutput | undefined)[]
}

/** Traces a function; afterwards the state is as before, whatever happens. */
export function trace<A extends readonly Tree[], R extends Tree>(source: Source<A, R>, call: Call): Trace {
  const state = source.state.flat()
  const { own, copies } = distinct(call.inputs, state)
  const stateIds = nativeIds([...state])
  const known = new Map<number, Known>([
    ...stateIds.map((id, i): [number, Known] => [
      id,
      { output: call.stateValues[i]!, type: typeOf(state[i]!) },
    ]),
    ...nativeIds(own).map((id, i): [number, Known] => [
      id,
      { output: call.inputValues[i]!, type: typeOf(own[i]!) },
    ]),
  ])
  const before = state.map((variable) => tf.keep(variable.clone()))
  const newest = newestTensorId()
  const run = (outputOf: OutputOf) => {
    try {
      return scoped(() => runOnce({ ...source, state }, { form: call.form, own, newest, stateIds }, outputOf))
    } finally {
      for (const [i, variable] of state.entries()) variable.assign(before[i]!)
    }
  }
  const recorded = (withValues: boolean): Trace => {
    const { value, nodes } = record(known, run, { withValues })
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

/** Calls the function; returns its result and what it assigns. */
function runOnce<A extends readonly Tree[], R extends Tree>(
  { fn, state, name }: Omit<Source<A, R>, 'state'> & { readonly state: readonly tf.Variable[] },
  { form, own, newest, stateIds }: { form: Form; own: Tensor[]; newest: number; stateIds: number[] },
  outputOf: OutputOf,
): Omit<Trace, 'nodes'> {
  const isKept = (variable: tf.Variable) => state.includes(variable) || variable.id > newest
  const result = guarded({ isKept, inputs: own }, () =>
    flatten(fn(...(unflatten(form, own) as Tree as A)), `compile(${name}): result`),
  )
  const outputs = nativeIds(result.leaves).map(outputOf)
  // Outputs may have been kept past the scope (loss terms, from inside a gradient function). Inputs and captured tensors
  // may be outputs too, and stay.
  for (const tensor of result.leaves) if (tensor.id > newest) tensor.dispose()
  const assigned = nativeIds([...state]).map((id, i) => (id === stateIds[i] ? undefined : outputOf(id)))
  return { outputs, form: result.form, assigned }
}

/**
 * The recorder identifies inputs and variables by their native tensors, but clones, and variables assigned from one
 * tensor, share theirs. Gives each its own; the caller disposes of `copies`.
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

/** @throws Error for a tensor whose type a graph cannot take */
export function typeOf(tensor: Pick<Tensor, 'dtype' | 'dataId' | 'shape'>): ValueType {
  const { dtype, shape } = tensor
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new Error(`compile: expected tensors of float32, int32, bool or bytes, found ${dtype}`)
  }
  return { dtype: nativeType(tensor), shape }
}
