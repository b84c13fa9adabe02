/** Where a compiled function's state is newest: in its variables, or in the session of one of its graphs. */
import type { LoadedGraph } from './build'
import { adopt, nativeBackend, nativeIds, type TensorMetadata, type tf, vacate } from './native'

/** By variable: the state that holds its newest value in a session. */
const holders = new Map<tf.Variable, SessionState>()

/** Brings the variables of all compiled functions up to date. */
export function pullAll(): void {
  for (const holder of new Set(holders.values())) holder.pull()
}

/** Runs a graph; the results are the caller's to adopt or to discard. */
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

/** The state of one compiled function, of whose graphs one at most holds it. */
export class SessionState {
  /** The graph whose session has the newest values, and the variables' data when it was last in line with them. */
  private owner: LoadedGraph | undefined
  private known: object[] = []

  /** @param name the compiled function's, for error messages */
  constructor(
    private readonly variables: readonly tf.Variable[],
    private readonly name: string,
  ) {}

  /** Copies the state from the session to the variables. What was assigned from outside since the last call stays. */
  pull(): void {
    // Once another compiled function has taken the state over, this session's is old.
    const held = this.variables.filter((variable) => holders.get(variable) === this)
    if (!this.owner || held.length === 0) return
    for (const variable of held) holders.delete(variable)
    runGraph(this.owner, [], '', this.owner.final).forEach((result, i) => {
      const variable = this.variables[i]!
      const value = adopt(result)
      if (variable.dataId === this.known[i] && !variable.isDisposed) variable.assign(value)
      value.dispose()
    })
    this.known = this.variables.map((variable) => variable.dataId)
  }

  /** Before a graph's run: its session gets the newest state. */
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
      discard(runGraph(graph, nativeIds([...this.variables]), graph.initial, graph.initialised))
    }
    this.owner = graph
    this.known = this.variables.map((variable) => variable.dataId)
  }

  /** After a run that changed it: the newest state is in the session alone, for a second copy would only take memory. */
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
