/** The same network for other classes: its heads with other channels. */
import { checkNetwork } from './check'
import { type Weights, weightShapes } from './detector'
import { describeLayer } from './graph'
import { layersOf } from './layers'
import type { Convolution, Layer, NetworkSpec, Yolo } from './spec'

/** Every yolo layer with the convolution that gives its logits. */
function headsWithLogits(network: NetworkSpec): { readonly head: Yolo; readonly logits: Convolution }[] {
  return network.layers.flatMap((head) => {
    if (head.kind !== 'yolo') return []
    const logits = network.layers.find(({ name }) => name === head.from)
    if (logits?.kind !== 'convolution' || logits.groups !== 1)
      throw new Error(
        `network: ${describeLayer(network, head)}: expected its logits from a convolution without groups, found ` +
          `${logits ? describeLayer(network, logits) : head.from}; other classes need other channels there`,
      )
    return { head, logits }
  })
}

/** Names of the layers that give logits, in the order of the yolo layers. */
export function logitLayers(network: NetworkSpec): string[] {
  return headsWithLogits(network).map(({ logits }) => logits.name)
}

/**
 * The network for another number of classes, and with other anchors and scale_x_y where `changes` has some for a yolo layer (by
 * their order).
 *
 * @throws Error naming the yolo layer whose logits do not come from a convolution without groups
 */
export function withClasses(
  network: NetworkSpec,
  classes: number,
  changes: readonly (Pick<Yolo, 'anchors' | 'scaleXY'> | undefined)[] = [],
): NetworkSpec {
  const heads = headsWithLogits(network)
  const layers = network.layers.map((layer): Layer => {
    const own = heads.findIndex(({ head }) => head === layer)
    if (layer.kind === 'yolo') return { ...layer, classes, ...changes[own] }
    const of = heads.findIndex(({ logits }) => logits === layer)
    if (of < 0 || layer.kind !== 'convolution') return layer
    const { anchors } = changes[of] ?? heads[of]!.head
    return { ...layer, out: anchors.length * (5 + classes) }
  })
  return checkNetwork({ ...network, layers })
}

/**
 * A network and its weights for some of its classes, in another order: of the logits tx ty tw th obj class... of every anchor the
 * classes `labels` are kept. Each box's logits stay what they were, so nothing has to be trained.
 *
 * @param labels numbers of the classes, in the order that they get
 */
export function selectClasses(
  network: NetworkSpec,
  weights: Weights,
  labels: readonly number[],
): { readonly network: NetworkSpec; readonly weights: Weights } {
  const selected = withClasses(network, labels.length)
  const of = new Map(headsWithLogits(network).map(({ head, logits }) => [logits.name, head]))
  const kept = new Map(weights)
  for (const layer of layersOf(selected).layers) {
    const head = of.get(layer.name)
    if (!head) continue
    const channels = head.anchors.flatMap((_, anchor) =>
      [0, 1, 2, 3, 4, ...labels.map((label) => 5 + label)].map(
        (channel) => anchor * (5 + head.classes) + channel,
      ),
    )
    const before = head.anchors.length * (5 + head.classes)
    for (const [suffix, shape] of weightShapes(layer)) {
      const name = `${layer.name}/${suffix}`
      const found = weights.get(name)
      if (!found) throw new Error(`weight ${name}: the architecture needs it, found none`)
      const rows = found.values.length / before
      // The last axis is the channels out, in kernels and in vectors.
      const values = Float32Array.from({ length: rows * channels.length }, (_, i) => {
        const [row, column] = [Math.floor(i / channels.length), i % channels.length]
        return found.values[row * before + channels[column]!]!
      })
      kept.set(name, { shape, values })
    }
  }
  return { network: selected, weights: kept }
}
