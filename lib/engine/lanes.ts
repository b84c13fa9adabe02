/**
 * A training step for two threads that run whole operations each, instead of sharing every operation (threads.cjs).
 *
 * A step has some hundred operations of a millisecond and less; to hand the half of one to another thread, and to wait for it,
 * costs a good part of what that saves. So a batch is cut into as many pieces as there are lanes, and every piece goes its own
 * way from the images to the heads and back, as in synchronous data parallelism: whatever computes each image for itself works
 * on a piece; batch norm takes the statistics of all pieces together; a kernel's gradient is the sum of the pieces' gradients.
 * What takes a whole batch, such as the loss, gets the pieces joined.
 *
 * What computes each image for itself stays as it is, to the bit. Statistics and gradients are summed by piece first, which
 * rounds otherwise: the mathematics are the same.
 */
import type { Ends } from './delay'
import { arithmetic, concatenation, float, integers, split } from './graphdef'
import { type Attribute, DTYPE } from './native'
import { bytesOf } from './recompute'
import { type GraphNode, keyOf, type NodeOutput, type ValueType } from './recorder'

/** Which inputs of an operation are batches of images, [n, h, w, c]; a concatenation's are all but its axis. */
const IMAGES: { readonly [operation: string]: readonly number[] } = {
  Conv2D: [0],
  Conv2DBackpropInput: [2],
  Conv2DBackpropFilter: [0, 2],
  FusedBatchNormV3: [0],
  FusedBatchNormGradV3: [0, 1],
  Add: [0, 1],
  AddV2: [0, 1],
  BiasAdd: [0],
  Cast: [0],
  LeakyRelu: [0],
  LeakyReluGrad: [0, 1],
  MaxPool: [0],
  MaxPoolGrad: [0, 1, 2],
  PadV2: [0],
  Reshape: [0],
  ResizeNearestNeighbor: [0],
  Slice: [0],
  SplitV: [0],
}
/** With several outputs. */
const MANIFOLD = new Set(['FusedBatchNormV3', 'FusedBatchNormGradV3', 'SplitV'])
/** These are worth the copies that cut their images and join what they make; the others are cut where their images are. */
const COSTLY = new Set(['Conv2D', 'Conv2DBackpropInput'])
/** The input that holds the result's shape, first of all its number of images. */
const SIZED: { readonly [operation: string]: number } = { Conv2DBackpropInput: 0, Reshape: 1, Slice: 2 }
const CHANNELS = 3
const RANK = 4

/**
 * A kernel's gradient costs, beside its arithmetic, a start and several passes over the kernel (0.25 ms, and 2 ns a weight). Below
 * so many bytes of images and of their gradients, to join them takes less than that; found by trial.
 */
const BYTES_A_START = 2 ** 21
const BYTES_A_WEIGHT = 8

/**
 * Cuts a graph into lanes.
 *
 * @param nodes in topological order
 * @param lanes how many operations run at a time; 1: the graph stays as it is
 */
export function inLanes(nodes: readonly GraphNode[], lanes: number, { outputs }: Ends): readonly GraphNode[] {
  return lanes > 1 ? new Cutter(nodes, lanes, outputs).run() : nodes
}

const at = (node: string, index = 0): NodeOutput => ({ node, index })
const product = (numbers: readonly number[]) => numbers.reduce((a, b) => a * b, 1)

class Cutter {
  private readonly byName: ReadonlyMap<string, GraphNode>
  private readonly everyLane: readonly number[]
  private readonly result: GraphNode[] = []
  private readonly axis = this.push(integers('lanes/axis', 0))
  /** By value: its pieces along the batch. */
  private readonly pieces = new Map<string, readonly NodeOutput[]>()
  /** By value: what it is the sum of. */
  private readonly summands = new Map<string, readonly NodeOutput[]>()
  /** By value: what stands for it where it is taken as a whole. */
  private readonly wholes = new Map<string, NodeOutput>()
  /** By node: those that run in its stead. */
  private readonly runs = new Map<string, readonly string[]>()

  constructor(
    private readonly nodes: readonly GraphNode[],
    private readonly lanes: number,
    private readonly outputs: ReadonlySet<string>,
  ) {
    this.byName = new Map(nodes.map((node) => [node.name, node]))
    this.everyLane = Array.from({ length: lanes }, (_, lane) => lane)
  }

  run(): readonly GraphNode[] {
    for (const given of this.nodes) {
      const after = given.after?.flatMap((name) => this.runs.get(name) ?? [name])
      const node = after ? { ...given, after } : given
      const { operation, inputs } = node
      const summands = operation === 'Cast' ? this.summands.get(keyOf(inputs[0]!)) : undefined
      if (summands) this.castSummands(node, summands)
      else if (!this.isCut(node)) this.push({ ...node, inputs: inputs.map((input) => this.whole(input)) })
      else if (operation === 'FusedBatchNormV3') this.batchNorm(node)
      else if (operation === 'FusedBatchNormGradV3') this.batchNormGradient(node)
      else this.cut(node)
    }
    return this.result
  }

  private push(node: GraphNode): NodeOutput {
    this.result.push(node)
    return at(node.name)
  }

  private isCut(node: GraphNode): boolean {
    const { operation, name, inputs, inputTypes } = node
    const images = imagesOf(node)
    const types = images.flatMap((i) => inputTypes?.[i] ?? [])
    const batch = types[0]?.shape[0] ?? 0
    if (types.length < images.length || batch === 0 || batch % this.lanes > 0) return false
    if (!types.every(({ shape }) => shape.length === RANK && shape[0] === batch)) return false
    const size = SIZED[operation]
    if (size !== undefined && this.integers(node, size)?.[0] !== batch) return false
    if (COSTLY.has(operation)) return true
    if (MANIFOLD.has(operation) && this.outputs.has(name)) return false
    if (!images.every((i) => this.pieces.has(keyOf(inputs[i]!)))) return false
    switch (operation) {
      case 'Conv2DBackpropFilter': {
        const bytes = types.reduce((sum, type) => sum + bytesOf(type), 0)
        return bytes >= BYTES_A_START + BYTES_A_WEIGHT * product(this.integers(node, 1) ?? [])
      }
      case 'FusedBatchNormV3':
      case 'FusedBatchNormGradV3':
        return attributeOf(node, 'is_training') === true
      case 'ConcatV2':
        return this.integers(node, inputs.length - 1)?.[0] === CHANNELS
      case 'SplitV':
        return this.integers(node, 2)?.[0] === CHANNELS
      case 'PadV2':
        return this.integers(node, 1)?.slice(0, 2).join() === '0,0'
      case 'Reshape':
        return this.integers(node, 1)?.length === RANK
      default:
        return true
    }
  }

  private integers({ inputs }: GraphNode, i: number): readonly number[] | undefined {
    const constant = this.byName.get(inputs[i]!.node)?.constant
    if (constant?.dtype !== DTYPE.int32) return undefined
    return [...new Int32Array(constant.bytes.slice().buffer)]
  }

  /** A value as one: joined, or summed. */
  private whole(value: NodeOutput): NodeOutput {
    const key = keyOf(value)
    const known = this.wholes.get(key)
    if (known) return known
    const isCut = this.pieces.has(key) || this.summands.has(key)
    if (!isCut) return value
    const whole = this.join(`${value.node}/${value.index}/whole`, value)
    this.wholes.set(key, whole)
    return whole
  }

  private join(name: string, value: NodeOutput): NodeOutput {
    const key = keyOf(value)
    const dtype = dtypeOf(this.byName.get(value.node)!)
    const summands = this.summands.get(key)
    return summands
      ? this.sum(name, summands, dtype)
      : this.push(concatenation(name, this.pieces.get(key)!, this.axis, dtype))
  }

  private piecesOf(value: NodeOutput, { dtype, shape }: ValueType): readonly NodeOutput[] {
    const known = this.pieces.get(keyOf(value))
    if (known) return known
    const name = `${value.node}/${value.index}/pieces`
    const sizes = this.push(
      integers(
        `${name}/sizes`,
        this.everyLane.map(() => shape[0]! / this.lanes),
      ),
    )
    const whole = this.whole(value)
    this.push(split(name, whole, sizes, this.axis, this.lanes, dtype))
    const pieces = this.everyLane.map((lane) => at(name, lane))
    this.pieces.set(keyOf(value), pieces)
    this.wholes.set(keyOf(value), whole)
    return pieces
  }

  private arithmetic(name: string, operation: string, ...inputs: readonly NodeOutput[]): NodeOutput {
    return this.push(arithmetic(name, operation, inputs))
  }

  private sum(name: string, summands: readonly NodeOutput[], dtype?: number): NodeOutput {
    const last = summands.length - 1
    return summands.reduce((sum, summand, i) =>
      this.push(arithmetic(i === last ? name : `${name}/${i}`, 'AddV2', [sum, summand], dtype)),
    )
  }

  /** Notes what runs in a node's stead, and makes what the graph returns of it under its own name. */
  private replace(node: GraphNode, made: readonly NodeOutput[]) {
    const { name } = node
    this.runs.set(
      name,
      made.map((output) => output.node),
    )
    if (!this.outputs.has(name)) return
    this.wholes.set(keyOf(at(name)), this.join(name, at(name)))
  }

  private cut(node: GraphNode) {
    const { name, operation, inputs } = node
    const inputTypes = node.inputTypes!
    const images = imagesOf(node)
    const share = inputTypes[images[0]!]!.shape[0]! / this.lanes
    const size = SIZED[operation]
    const pieces = inputs.map((input, i) =>
      images.includes(i) ? this.piecesOf(input, inputTypes[i]!) : [this.whole(input)],
    )
    const types = inputTypes.map((type, i) =>
      images.includes(i) ? { ...type, shape: [share, ...type.shape.slice(1)] } : type,
    )
    const sized =
      size !== undefined &&
      this.push(integers(`${name}/size`, [share, ...this.integers(node, size)!.slice(1)]))
    const made = this.everyLane.map((lane) => {
      const own = pieces.map((piece, i) => (sized && i === size ? sized : (piece[lane] ?? piece[0]!)))
      return this.push({ ...node, name: `${name}/${lane}`, inputs: own, inputTypes: types })
    })
    if (operation === 'Conv2DBackpropFilter') this.summands.set(keyOf(at(name)), made)
    else
      for (let i = 0; i < (Number(attributeOf(node, 'num_split')) || 1); i++) {
        const outputs = made.map((output) => at(output.node, i))
        this.pieces.set(keyOf(at(name, i)), outputs)
      }
    this.replace(node, made)
  }

  /** Summands are widened before they are summed. */
  private castSummands(node: GraphNode, summands: readonly NodeOutput[]) {
    const { name } = node
    const made = summands.map((summand, lane) =>
      this.push({ ...node, name: `${name}/${lane}`, inputs: [summand] }),
    )
    this.summands.set(keyOf(at(name)), made)
    this.replace(node, made)
  }

  /**
   * Batch norm with the statistics of all pieces, which are of one size: mean = avg(mean_l), and
   * var = avg(var_l + (mean_l - mean)^2) (Chan et al. 1979).
   */
  private batchNorm(node: GraphNode) {
    const { name, inputs, attributes } = node
    const type = node.inputTypes![0]!
    const count = product(type.shape.slice(0, -1))
    const pieces = this.piecesOf(inputs[0]!, type)
    const [gamma, beta, ...running] = inputs.slice(1).map((input) => this.whole(input)) as [
      NodeOutput,
      NodeOutput,
    ]
    const own = pieces.map((piece, lane) =>
      this.push({ ...node, name: `${name}/own/${lane}`, inputs: [piece, gamma, beta, ...running] }),
    )
    const part = this.push(float(`${name}/part`, 1 / this.lanes))
    const means = own.map((output) => at(output.node, 3))
    const mean = this.arithmetic(`${name}/mean`, 'Mul', this.sum(`${name}/means`, means), part)
    const variances = own.map((output, lane) => {
      const distance = this.arithmetic(`${name}/distance/${lane}`, 'Sub', means[lane]!, mean)
      const between = this.arithmetic(`${name}/between/${lane}`, 'Mul', distance, distance)
      return this.arithmetic(`${name}/variance/${lane}`, 'AddV2', at(output.node, 4), between)
    })
    const variance = this.arithmetic(
      `${name}/variance`,
      'Mul',
      this.sum(`${name}/variances`, variances),
      part,
    )
    const bessel = this.push(float(`${name}/bessel`, count / Math.max(1, count - 1)))
    const unbiased = this.arithmetic(`${name}/unbiased`, 'Mul', variance, bessel)
    const made = pieces.map((piece, lane) =>
      this.push({
        ...node,
        name: `${name}/${lane}`,
        inputs: [piece, gamma, beta, mean, variance],
        attributes: withStatistics(attributes),
      }),
    )
    this.pieces.set(keyOf(at(name)), made)
    // The last is for cuDNN alone.
    for (const [i, output] of [mean, unbiased, mean, variance, mean].entries())
      this.wholes.set(keyOf(at(name, i + 1)), output)
    this.replace(node, made)
  }

  /**
   * With s = gamma / sqrt(var + eps), xh = (x - mean) / sqrt(var + eps) and sums over all pieces:
   *
   *     dbeta = sum(dy),  dgamma = sum(dy xh),  dx = s dy - s / N (dbeta + dgamma xh)
   *
   * The gradient for given statistics has the sums of a piece and s dy. The rest is a function of x as batch norm itself is one,
   * with other parameters.
   */
  private batchNormGradient(node: GraphNode) {
    const { name, inputs } = node
    const inputTypes = node.inputTypes!
    const type = inputTypes[0]!
    const dys = this.piecesOf(inputs[0]!, type)
    const xs = this.piecesOf(inputs[1]!, inputTypes[1]!)
    const [gamma, mean, variance, ...reserve] = inputs.slice(2).map((input) => this.whole(input)) as [
      NodeOutput,
      NodeOutput,
      NodeOutput,
    ]
    const attributes = withStatistics(node.attributes)
    const own = this.everyLane.map((lane) =>
      this.push({
        ...node,
        name: `${name}/own/${lane}`,
        inputs: [dys[lane]!, xs[lane]!, gamma, mean, variance, ...reserve],
        attributes,
      }),
    )
    const sumOf = (what: string, index: number) =>
      this.sum(
        `${name}/${what}`,
        own.map((output) => at(output.node, index)),
      )
    const [dGamma, dBeta] = [sumOf('gamma', 1), sumOf('beta', 2)]
    const epsilon = this.push(float(`${name}/epsilon`, Number(attributeOf(node, 'epsilon'))))
    const inverse = this.arithmetic(
      `${name}/inverse`,
      'Rsqrt',
      this.arithmetic(`${name}/wide`, 'AddV2', variance, epsilon),
    )
    const share = this.push(float(`${name}/share`, -1 / product(type.shape.slice(0, -1))))
    const scale = this.arithmetic(
      `${name}/scale`,
      'Mul',
      this.arithmetic(`${name}/s`, 'Mul', gamma, inverse),
      share,
    )
    const slope = this.arithmetic(`${name}/slope`, 'Mul', scale, dGamma)
    const offset = this.arithmetic(`${name}/offset`, 'Mul', scale, dBeta)
    const made = this.everyLane.map((lane) => {
      const common = this.push({
        ...node,
        name: `${name}/common/${lane}`,
        operation: 'FusedBatchNormV3',
        inputs: [xs[lane]!, slope, offset, mean, variance],
        attributes,
      })
      return this.push(arithmetic(`${name}/${lane}`, 'AddV2', [own[lane]!, common], type.dtype))
    })
    this.pieces.set(keyOf(at(name)), made)
    this.wholes.set(keyOf(at(name, 1)), dGamma)
    this.wholes.set(keyOf(at(name, 2)), dBeta)
    this.replace(node, made)
  }
}

function imagesOf({ operation, inputs }: GraphNode): readonly number[] {
  // A concatenation's last input is its axis.
  return operation === 'ConcatV2' ? inputs.slice(0, -1).map((_, i) => i) : (IMAGES[operation] ?? [])
}

const attributeOf = ({ attributes }: Pick<GraphNode, 'attributes'>, name: string) =>
  attributes.find((attribute) => attribute.name === name)?.value

/** The type of a node's first output: a cast's has a name of its own. */
const dtypeOf = (node: GraphNode) => Number(attributeOf(node, node.operation === 'Cast' ? 'DstT' : 'T'))

/** A batch norm's attributes, for one that gets its statistics. */
const withStatistics = (attributes: readonly Attribute[]): readonly Attribute[] =>
  attributes.flatMap((attribute) => {
    if (attribute.name === 'exponential_avg_factor') return []
    return [attribute.name === 'is_training' ? { ...attribute, value: false } : attribute]
  })
