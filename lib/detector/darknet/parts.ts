/** Backbone, neck and heads of a network that does not say them, as a cfg file does not. */
import { sourcesOf } from '../graph'
import { type Shape, shapesOf } from '../shapes'
import { featureOfHead, type Layer, type NetworkSpec, type Part, type Yolo } from '../spec'

/**
 * A network with its parts and features, found in its shape:
 *
 * - head: in front of every yolo layer the convolution that gives the logits, and the convolution of more than 1x1 before it
 *   where nothing else takes its map;
 * - neck: from the first 1x1 convolution (or head) on that stands behind the last halving of the map and the last shortcut of
 *   the coarsest stride;
 * - backbone: what is before it. Its last maps of strides 8, 16, ... are the features C3, C4, ...
 */
export function withParts(network: NetworkSpec): NetworkSpec {
  const { layers } = network
  const shapes = shapesOf(network)
  const heads = layers.filter((layer): layer is Yolo => layer.kind === 'yolo')
  const headLayers = heads.map((head) => ownLayers(head, layers))
  const inHeads = new Set(headLayers.flat())
  const neck = startOfNeck(layers, shapes, inHeads)
  const partOf = (layer: Layer, i: number): Part =>
    inHeads.has(layer) || layer.kind === 'yolo' ? 'head' : i < neck ? 'backbone' : 'neck'
  const placed = layers.map((layer, i) => ({ ...layer, part: partOf(layer, i) }))
  const features: { [name: string]: string } = {}
  for (const { part, name, kind } of placed) {
    const power = Math.log2(shapes.get(name)!.stride)
    if (part === 'backbone' && kind !== 'yolo' && power >= 3 && Number.isInteger(power))
      features[`C${power}`] = name
  }
  headLayers.forEach((own, head) => {
    const [source] = sourcesOf(own[0]!)
    if (layers.some(({ name }) => name === source)) features[featureOfHead(head)] = source!
  })
  return { ...network, layers: placed, features }
}

/** The one or two convolutions in front of a yolo layer, in their order. */
function ownLayers(head: Yolo, layers: readonly Layer[]): readonly Layer[] {
  const logits = layers.find(({ name }) => name === head.from)
  if (logits?.kind !== 'convolution') return [head]
  const before = layers.find(({ name }) => name === logits.from)
  const takers = layers.filter((layer) => before && sourcesOf(layer).includes(before.name))
  return before?.kind === 'convolution' && before.kernel > 1 && takers.length === 1
    ? [before, logits]
    : [logits]
}

function startOfNeck(
  layers: readonly Layer[],
  shapes: ReadonlyMap<string, Shape>,
  inHeads: ReadonlySet<Layer>,
): number {
  const strideOf = (layer: Layer) => shapes.get(layer.name)!.stride
  const end = layers.findIndex((layer) => inHeads.has(layer) || layer.kind === 'upsample')
  const before = end < 0 ? layers : layers.slice(0, end)
  const coarsest = Math.max(...before.map(strideOf))
  const halving = before.findIndex((layer) => strideOf(layer) === coarsest)
  const sum = before.map((layer) => layer.kind).lastIndexOf('shortcut')
  const isNarrow = (layer: Layer) => layer.kind === 'convolution' && layer.kernel === 1
  const start = before.findIndex((layer, i) => i > Math.max(halving, sum) && isNarrow(layer))
  return start < 0 ? before.length : start
}
