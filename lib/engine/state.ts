/**
 * A graph's state: one resource of the session per variable, except that all vectors share one. A network has hundreds of
 * them, and reading and assigning each by itself costs more than computing with it.
 */
import { firstOutput, type GraphNode, type NodeOutput, type ValueType } from './graph'
import { concatenation, destruction, integers, placeholder, split, variableNodes } from './graphdef'
import { DTYPE } from './native'

export interface State {
  /** The variables' values before a run. */
  readonly values: readonly NodeOutput[]
  /** Names of the variables' own resources; undefined for those that share one. */
  readonly handles: readonly (string | undefined)[]
  /** What to feed to initialise them. */
  readonly initial: readonly NodeOutput[]
  /** What to fetch, in a separate run, to read them. */
  readonly final: readonly NodeOutput[]
  readonly nodes: readonly GraphNode[]
  /** Names of the nodes that initialise all variables, and of those that free their memory. */
  readonly initialise: readonly string[]
  readonly release: readonly string[]
  /** Nodes that give variables new values; undefined leaves a variable unchanged. */
  assign(values: readonly (NodeOutput | undefined)[]): GraphNode[]
}

/** The state of a graph with variables of these types, in their order. */
export function stateOf(types: readonly ValueType[]): State {
  const vectors = types.flatMap(({ dtype, shape }, i) =>
    dtype === DTYPE.float32 && shape.length === 1 ? [i] : [],
  )
  const together = vectors.length > 1 ? vectors : []
  const alone = types.map((_, i) => i).filter((i) => !together.includes(i))
  const parts = [
    ...alone.map((i) => single(types[i]!, i)),
    ...(together.length > 0 ? [packed(types, together)] : []),
  ]

  const inOrder = <T>(of: (part: Part) => readonly T[]): T[] => {
    const list: T[] = []
    for (const part of parts) for (const [k, output] of of(part).entries()) list[part.members[k]!] = output
    return list
  }
  return {
    values: inOrder(({ values }) => values),
    handles: inOrder(({ members, handle }) => members.map(() => handle)),
    initial: inOrder(({ initial }) => initial),
    final: inOrder(({ final }) => final),
    nodes: parts.flatMap(({ nodes }) => nodes),
    initialise: parts.map(({ initialise }) => initialise),
    release: parts.map(({ release }) => release),
    assign: (values) => parts.flatMap((part) => part.assign(part.members.map((i) => values[i]))),
  }
}

/** One resource with the variables that it holds. */
interface Part {
  readonly members: readonly number[]
  /** The resource, if it holds a single variable. */
  readonly handle?: string
  readonly values: readonly NodeOutput[]
  readonly initial: readonly NodeOutput[]
  readonly final: readonly NodeOutput[]
  readonly nodes: readonly GraphNode[]
  readonly initialise: string
  readonly release: string
  assign(values: readonly (NodeOutput | undefined)[]): GraphNode[]
}

function single({ dtype, shape }: ValueType, i: number): Part {
  const name = `state/${i}`
  const variable = variableNodes(name, { dtype, shape })
  const value = variable.read('value')
  const final = variable.read('final')
  const initial = placeholder(`${name}/initial`, dtype, shape)
  const initialise = variable.assign('initialise', firstOutput(initial.name), [])
  const release = destruction(`${name}/release`, variable.handle)
  return {
    members: [i],
    handle: variable.handle.name,
    values: [firstOutput(value.name)],
    initial: [firstOutput(initial.name)],
    final: [firstOutput(final.name)],
    nodes: [variable.handle, value, final, initial, initialise, release],
    initialise: initialise.name,
    release: release.name,
    assign: ([next]) => (next ? [variable.assign('assign', next, [value.name])] : []),
  }
}

function packed(types: readonly ValueType[], members: readonly number[]): Part {
  const name = 'state/vectors'
  const lengths = members.map((i) => types[i]!.shape[0]!)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const variable = variableNodes(name, { dtype: DTYPE.float32, shape: [total] })
  const [value, final] = [variable.read('value'), variable.read('final')]
  const sizes = integers(`${name}/lengths`, lengths)
  const axis = integers(`${name}/axis`, 0)
  const into = (suffix: string, whole: GraphNode) =>
    split(
      `${name}/${suffix}`,
      firstOutput(whole.name),
      firstOutput(sizes.name),
      firstOutput(axis.name),
      members.length,
    )
  const [values, finals] = [into('values', value), into('finals', final)]
  const initials = members.map((i) => placeholder(`state/${i}/initial`, DTYPE.float32, types[i]!.shape))
  const join = (suffix: string, pieces: readonly NodeOutput[]) =>
    concatenation(`${name}/${suffix}`, pieces, firstOutput(axis.name))
  const joined = join(
    'initials',
    initials.map((node) => firstOutput(node.name)),
  )
  const initialise = variable.assign('initialise', firstOutput(joined.name), [])
  const release = destruction(`${name}/release`, variable.handle)
  const pieces = (node: GraphNode) => members.map((_, index) => ({ node: node.name, index }))
  return {
    members,
    values: pieces(values),
    initial: initials.map((node) => firstOutput(node.name)),
    final: pieces(finals),
    nodes: [
      ...[variable.handle, value, final, sizes, axis, values, finals],
      ...[...initials, joined, initialise, release],
    ],
    initialise: initialise.name,
    release: release.name,
    assign: (next) => {
      if (next.every((one) => one === undefined)) return []
      const all = join(
        'next',
        next.map((one, index) => one ?? { node: values.name, index }),
      )
      return [all, variable.assign('assign', firstOutput(all.name), [value.name])]
    },
  }
}
