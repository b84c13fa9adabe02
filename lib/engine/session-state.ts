/** Tracks where a compiled function's state is newest: in its variables, or in the session of one of its graphs. */
import type { LoadedGraph } from './build'
import { joined, slicesLike } from './joined'
import {
  adopt,
  nativeBackend,
  nativeIds,
  scoped,
  type Tensor,
  type TensorMetadata,
  type tf,
  vacate,
} from './native'

/** For each variable, the state that holds its newest value in a session. */
const holders = new Map<tf.Variable, SessionState>()

/** Brings the variables of all compiled functions up to date. */
export function pullAll(): void {
  for (const holder of new Set(holders.values())) holder.pull()
}

/** Runs a graph; the caller adopts or discards the results. */
export function runGraph(
  { session }: LoadedGraph,
  ids: number[],
  feeds: string,
  fetches: string,
): TensorMetadata[] {
  return nativeBackend().binding.runSavedModel(session, ids, feeds, fetches)
}

/** Frees results that nobody adopts. */
export function discard(results: readonly TensorMetadata[]): void {
  for (const { id } of results) nativeBackend().binding.deleteTensor(id)
}

/** The state of one compiled function; at most one of its graphs holds it. */
export class SessionState {
  /** The graph whose session has the newest values, and the variables' data when the two last agreed. */
  private owner: LoadedGraph | undefined
  private known: object[] = []

  private readonly variables: readonly tf.Variable[]

  /**
   * @param groups a group of several variables is one vector in a session
   * @param name the compiled function's, for error messages
   */
  constructor(
    private readonly groups: readonly (readonly tf.Variable[])[],
    private readonly name: string,
  ) {
    this.variables = groups.flat()
  }

  /** Copies the state from the session to the variables, except those assigned from outside since the last call. */
  pull(): void {
    // Once another compiled function has taken over a variable, this session's value is old.
    const held = this.variables.filter((variable) => holders.get(variable) === this)
    if (!this.owner || held.length === 0) return
    for (const variable of held) holders.delete(variable)
    const results = runGraph(this.owner, [], '', this.owner.final)
    scoped(() => {
      const values = results.flatMap((result, g) => slicesOf(adopt(result), this.groups[g]!))
      for (const [i, variable] of this.variables.entries())
        if (variable.dataId === this.known[i] && !variable.isDisposed) variable.assign(values[i]!)
    })
    this.known = this.variables.map((variable) => variable.dataId)
  }

  /** Before a graph's run: gives its session the newest state. */
  moveTo(graph: LoadedGraph): void {
    for (const variable of this.variables) {
      const holder = holders.get(variable)
      if (holder !== this) holder?.pull()
    }
    const isInLine = this.variables.every((variable, i) => variable.dataId === this.known[i])
    if (this.owner === graph && isInLine) return
    this.pull()
    if (this.variables.length > 0) {
      if (this.owner && this.owner !== graph) discard(runGraph(this.owner, [], '', this.owner.released))
      scoped(() => {
        const wholes = this.groups.map((group) => (group.length === 1 ? group[0]! : joined(group)))
        discard(runGraph(graph, nativeIds(wholes), graph.initial, graph.initialised))
      })
    }
    this.owner = graph
    this.known = this.variables.map((variable) => variable.dataId)
  }

  /** After a run that changed the state: it is in the session alone, since a second copy would only take memory. */
  hold(): void {
    for (const [i, variable] of this.variables.entries()) {
      if (holders.get(variable) === this) continue
      holders.set(variable, this)
      vacate(
        variable,
        `${variable.name} is newest in the session of compile(${this.name}): expected sync() before it is read`,
      )
      this.known[i] = variable.dataId
    }
  }

  /** Before the sessions are freed: copies the state to the variables, unless all of them are disposed of. */
  leave(): void {
    if (this.variables.some((variable) => !variable.isDisposed)) this.pull()
    for (const variable of this.variables) if (holders.get(variable) === this) holders.delete(variable)
    this.owner = undefined
  }
}

/** What a session holds of a group, as values of its variables. */
function slicesOf(whole: Tensor, group: readonly tf.Variable[]): Tensor[] {
  return group.length === 1 ? [whole] : slicesLike(group, whole)
}
