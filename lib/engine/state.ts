/**
 * A graph's state: one resource of the session for each group of variables. A group of several is one vector, whose slices are
 * the variables. A network has hundreds of them, and reading, updating and assigning each by itself costs more than computing
 * with it.
 */
import { firstOutput, type GraphNode, type NodeOutput, sizeOf, type ValueType } from './graph'
import {
  concatenation,
  destruction,
  integers,
  placeholder,
  reshaping,
  split,
  variableNodes,
} from './graphdef'
import { DTYPE } from './native'

/** One resource of the session. */
export interface Stored {
  readonly handle: string
  /** The whole group's value before a run. */
  readonly value: NodeOutput
}

export interface State {
  /** In the order of the groups. */
  readonly groups: readonly Stored[]
  /** The variables' values before a run, group by group. */
  readonly values: readonly NodeOutput[]
  /** The nodes that cut them out of the groups' values. */
  readonly slices: readonly GraphNode[]
  /** What to feed to initialise the groups. */
  readonly initial: readonly NodeOutput[]
  /** What to fetch, in a separate run, to read them. */
  readonly final: readonly NodeOutput[]
  readonly nodes: readonly GraphNode[]
  /** Names of the nodes that initialise all groups, and of those that free their memory. */
  readonly initialise: readonly string[]
  readonly release: readonly string[]
  /**
   * The groups' values after a run, from those of the variables, in their order (undefined: unchanged), and the nodes that join
   * them; undefined for a group of which nothing changes.
   */
  join(values: readonly (NodeOutput | undefined)[]): {
    readonly next: readonly (NodeOutput | undefined)[]
    readonly nodes: readonly GraphNode[]
  }
  /** Nodes that give the groups these values. */
  assign(next: readonly (NodeOutput | undefined)[]): GraphNode[]
}

/**
 * The state of a graph with groups of variables of these types.
 * @throws Error for a group of several that are not all float32
 */
export function stateOf(groups: readonly (readonly ValueType[])[]): State {
  const parts = groups.map((types, g) => partOf(types, `state/${g}`))
  const starts = groups.map((_, g) => groups.slice(0, g).reduce((sum, { length }) => sum + length, 0))
  return {
    groups: parts,
    values: parts.flatMap(({ values }) => values),
    slices: parts.flatMap(({ slices }) => slices),
    initial: parts.map(({ initial }) => initial),
    final: parts.map(({ final }) => final),
    nodes: parts.flatMap(({ nodes }) => nodes),
    initialise: parts.map(({ initialise }) => initialise),
    release: parts.map(({ release }) => release),
    join: (values) => {
      const joined = parts.map((part, g) =>
        part.join(values.slice(starts[g], starts[g]! + groups[g]!.length)),
      )
      return { next: joined.map(({ next }) => next), nodes: joined.flatMap(({ nodes }) => nodes) }
    },
    assign: (next) =>
      parts.flatMap((part, g) => {
        const value = next[g]
        return value ? [part.assign(value)] : []
      }),
  }
}

interface Joined {
  readonly next: NodeOutput | undefined
  readonly nodes: readonly GraphNode[]
}

interface Part extends Stored {
  readonly values: readonly NodeOutput[]
  readonly slices: readonly GraphNode[]
  readonly initial: NodeOutput
  readonly final: NodeOutput
  readonly nodes: readonly GraphNode[]
  readonly initialise: string
  readonly release: string
  join(values: readonly (NodeOutput | undefined)[]): Joined
  assign(next: NodeOutput): GraphNode
}

function partOf(types: readonly ValueType[], name: string): Part {
  const wrong = types.length > 1 && types.find(({ dtype }) => dtype !== DTYPE.float32)
  if (wrong)
    throw new Error(`compile: expected a group of float32 variables, found one of type ${wrong.dtype}`)
  const whole: ValueType = types.length === 1 ? types[0]! : { dtype: DTYPE.float32, shape: [totalOf(types)] }
  const variable = variableNodes(name, whole)
  const value = variable.read('value')
  const final = variable.read('final')
  const initial = placeholder(`${name}/initial`, whole.dtype, whole.shape)
  const initialise = variable.assign('initialise', firstOutput(initial.name), [])
  const release = destruction(`${name}/release`, variable.handle)
  const cut =
    types.length === 1 ? uncut(firstOutput(value.name)) : slicesOf(types, firstOutput(value.name), name)
  return {
    handle: variable.handle.name,
    value: firstOutput(value.name),
    ...cut,
    initial: firstOutput(initial.name),
    final: firstOutput(final.name),
    nodes: [variable.handle, value, final, initial, initialise, release],
    initialise: initialise.name,
    release: release.name,
    assign: (next) => variable.assign('assign', next, [value.name]),
  }
}

const totalOf = (types: readonly ValueType[]): number => types.reduce((sum, type) => sum + sizeOf(type), 0)

type Cut = Pick<Part, 'values' | 'slices' | 'join'>

const uncut = (value: NodeOutput): Cut => ({
  values: [value],
  slices: [],
  join: ([next]) => ({ next, nodes: [] }),
})

/** The slices of a vector as values of these types, and their way back. */
function slicesOf(types: readonly ValueType[], whole: NodeOutput, name: string): Cut {
  const lengths = types.map(sizeOf)
  const [sizes, axis] = [integers(`${name}/lengths`, lengths), integers(`${name}/axis`, 0)]
  const pieces = split(`${name}/slices`, whole, sizes, axis, lengths)
  const shaped = types.map(({ shape }, i) => {
    if (shape.length === 1) return { value: { node: pieces.name, index: i }, nodes: [] }
    const to = integers(`${name}/${i}/shape`, shape)
    const from: ValueType = { dtype: DTYPE.float32, shape: [lengths[i]!] }
    const node = reshaping(`${name}/${i}`, { node: pieces.name, index: i }, from, to)
    return { value: firstOutput(node.name), nodes: [to, node] }
  })
  const values = shaped.map(({ value }) => value)
  const join = (next: readonly (NodeOutput | undefined)[]): Joined => {
    if (next.every((one) => one === undefined)) return { next: undefined, nodes: [] }
    const flat = integers(`${name}/flat`, [-1])
    const rows = types.map((type, i) => {
      const value = next[i] ?? values[i]!
      if (type.shape.length === 1) return { value, nodes: [] }
      const node = reshaping(`${name}/${i}/next`, value, type, flat)
      return { value: firstOutput(node.name), nodes: [node] }
    })
    const all = concatenation(
      `${name}/next`,
      rows.map(({ value }) => value),
      axis,
      lengths,
    )
    return { next: firstOutput(all.name), nodes: [flat, ...rows.flatMap(({ nodes }) => nodes), all] }
  }
  return { values, slices: [sizes, axis, pieces, ...shaped.flatMap(({ nodes }) => nodes)], join }
}
