/** Turns a function into a graph loaded by TensorFlow: tracing, passes, session. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spaceError, temporaryFolder } from '../base'
import { callSite } from './call-site'
import {
  bytesOf,
  firstOutput,
  type Graph,
  type GraphNode,
  keyOf,
  type NodeOutput,
  type Pass,
  sizeOf,
} from './graph'
import { barrier, bitsAs, identity, integers, placeholder, reshaping, savedModel } from './graphdef'
import { DTYPE, isWholeWords, nativeBackend, type Tensor } from './native'
import { delay } from './passes/delay'
import { momentumInPlace } from './passes/in-place'
import { lowerPrecision } from './passes/precision'
import { recompute } from './passes/recompute'
import { dropUnused } from './passes/unused'
import { takeWhole } from './passes/whole'
import type { Precision } from './precision'
import { type State, stateOf } from './state'
import { type Source, trace, typeOf } from './trace'
import type { Form, Tree } from './tree'

/** The passes over a recorded graph, in this order. */
const passesFor = (precision: Precision): readonly Pass[] => [
  takeWhole,
  dropUnused,
  lowerPrecision(precision),
  momentumInPlace,
  dropUnused,
  recompute,
  delay,
]

/**
 * A graph in a session: what to feed (float32 inputs and bytes as their bits, see bitsOnHost; the state group by group, each
 * group of several as a vector), what to fetch (names separated by commas), and the form of its results.
 */
export interface LoadedGraph {
  readonly session: number
  readonly inputs: string
  readonly outputs: string
  /** What to feed and fetch to initialise and read the state, and to free its memory. */
  readonly initial: string
  readonly initialised: string
  readonly final: string
  readonly released: string
  /** Whether a run changes the state. */
  readonly assigns: boolean
  readonly form: Form
  readonly leaves: number
  readonly size: GraphSize
}

/** What a run of a graph costs beside its arithmetic. */
export interface GraphSize {
  /** Operations that are no constants. */
  readonly operations: number
  /** Bytes that are fed at every run. */
  readonly fed: number
}

const INITIALISED = 'state/initialised'
const ASSIGNED = 'state/assigned'
const RELEASED = 'state/released'

/**
 * Records a function on these inputs and loads the graph.
 *
 * @param form of the inputs; `inputs` are its leaves
 */
export function build<A extends readonly Tree[], R extends Tree>(
  source: Source<A, R>,
  precision: Precision,
  form: Form,
  inputs: readonly Tensor[],
): LoadedGraph {
  const state = stateOf(source.state.map((group) => group.map(typeOf)))
  const inputValues = inputs.map((_, i) => firstOutput(inputName(i)))
  const traced = trace(source, { form, inputs, inputValues, stateValues: state.values })
  const joined = state.join(traced.assigned)
  const recorded: Graph = {
    nodes: [...state.slices, ...traced.nodes, ...joined.nodes],
    inputs: new Set(inputValues.map(({ node }) => node)),
    state: state.groups.map(({ handle, value }, g) => ({ handle, value, next: joined.next[g] })),
    outputs: traced.outputs,
    updates: [],
  }
  const graph = passesFor(precision).reduce((before, pass) => pass(before), recorded)
  const { nodes, ...ends } = framed(graph, state, inputs)
  return {
    session: load(nodes, source.name),
    ...ends,
    form: traced.form,
    leaves: traced.outputs.length,
    size: {
      operations: nodes.filter(({ operation }) => operation !== 'Const').length,
      fed: inputs.reduce((sum, input) => sum + bytesOf(typeOf(input)), 0),
    },
  }
}

/** Adds the nodes that feed, return and assign to a graph, and names them. */
function framed(graph: Graph, state: State, inputs: readonly Tensor[]) {
  const entries = inputs.map((input, i) => entry(i, input))
  const exits = new Exits(inputs)
  const outputs = graph.outputs.map((output) => exits.of(output))
  const assigns = [...state.assign(graph.state.map(({ next }) => next)), ...graph.updates]
  const assigned = assigns.map(({ name }) => name)
  const nodes = [
    ...entries.flat(),
    ...state.nodes,
    ...graph.nodes,
    ...exits.nodes,
    ...assigns,
    barrier(INITIALISED, state.initialise),
    barrier(ASSIGNED, assigned),
    barrier(RELEASED, state.release),
  ]
  const list = (values: readonly NodeOutput[]) => values.map(keyOf).join(',')
  const one = (name: string) => list([firstOutput(name)])
  return {
    nodes,
    inputs: list(entries.map(([fed]) => firstOutput(fed.name))),
    outputs: list([...outputs, firstOutput(ASSIGNED)]),
    initial: list(state.initial),
    initialised: one(INITIALISED),
    final: list(state.final),
    released: one(RELEASED),
    assigns: assigns.length > 0,
  }
}

const inputName = (i: number): string => `input/${i}`

/** The nodes that bring an input into the graph. The first is the one to feed: float32 and bytes as their bits (see bitsOnHost). */
function entry(i: number, input: Tensor): [GraphNode, ...GraphNode[]] {
  const { dtype, shape } = typeOf(input)
  const name = inputName(i)
  if (dtype === DTYPE.uint8 && isWholeWords(input)) {
    const words = placeholder(`${name}/words`, DTYPE.int32, [sizeOf(input) / 4])
    const bytes = bitsAs(`${name}/bytes`, firstOutput(words.name), dtype)
    const to = integers(`${name}/shape`, shape)
    return [
      words,
      bytes,
      to,
      reshaping(name, firstOutput(bytes.name), { dtype, shape: [sizeOf(input) / 4, 4] }, to),
    ]
  }
  if (dtype !== DTYPE.float32) return [placeholder(name, dtype, shape)]
  const bits = placeholder(`${name}/bits`, DTYPE.int32, shape)
  return [bits, bitsAs(name, firstOutput(bits.name), dtype)]
}

/** TensorFlow refuses to return what it is fed, so a returned input goes through a node of its own. */
class Exits {
  readonly nodes: GraphNode[] = []

  constructor(private readonly inputs: readonly Tensor[]) {}

  of(output: NodeOutput): NodeOutput {
    const input = this.inputs.find((_, i) => output.node === inputName(i))
    if (!input) return output
    const node = identity(`output/${this.nodes.length}`, output, typeOf(input).dtype)
    this.nodes.push(node)
    return firstOutput(node.name)
  }
}

function load(nodes: readonly GraphNode[], name: string): number {
  const directory = temporaryFolder('graph')
  try {
    writeModel(directory, savedModel(nodes))
    return loadModel(directory, nodes, name)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function writeModel(directory: string, model: Uint8Array): void {
  const file = join(directory, 'saved_model.pb')
  try {
    writeFileSync(file, model)
  } catch (error) {
    throw spaceError(error, file, model.length)
  }
}

function loadModel(directory: string, nodes: readonly GraphNode[], name: string): number {
  try {
    return nativeBackend().binding.loadSavedModel(directory, 'serve')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const blamed = nodes.find((node) => node.origin && new RegExp(`\\b${node.name}\\b`).test(message))
    const place = blamed ? ` (operation ${blamed.operation} called at ${callSite(blamed.origin)})` : ''
    throw new Error(`compile(${name}): TensorFlow refused the recorded graph: ${message}${place}`)
  }
}
