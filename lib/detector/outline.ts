/** The network by its parts, as drawings show it: the backbone's stages, and what stands at every scale. */
import { ancestorsOf, sourcesOf } from './graph'
import { type Shape, shapesOf } from './shapes'
import { type Convolution, featureOfHead, type Layer, type NetworkSpec, type Yolo } from './spec'

/** Layers of the backbone whose maps have one size. */
export interface Stage {
  /** `stem`, `stage 1`, ..., `stage 3 (C3)`. */
  readonly title: string
  readonly shape: Shape
  /** Its layers in words: "3×3 /2, 2 residual blocks (104, 104)". */
  readonly detail: string
}

/** What leads to one head. */
export interface Scale {
  /** Name of the map in front of the head. */
  readonly title: string
  readonly head: Yolo
  /** Of that map, and of the logits. */
  readonly feature: Shape
  readonly logits: Shape
  /** The neck's layers behind the concatenation: "1×1", "SPP", ... */
  readonly layers: readonly string[]
  /** Sizes of SPP's pools. */
  readonly pools: readonly number[]
  /** The head's own layers. */
  readonly headLayers: readonly string[]
  /** Whether maps of the backbone and of another scale come together here. */
  readonly isJoined: boolean
  /** The way from another scale: "1×1 to 256, deconv 2×2 /2", and that scale's title. */
  readonly link: { readonly text: string; readonly of: string } | undefined
}

/** Stages from fine to coarse, scales in the order of the heads. */
export function outlineOf(network: NetworkSpec): {
  readonly stages: readonly Stage[]
  readonly scales: readonly Scale[]
} {
  const shapes = shapesOf(network)
  const byStride = new Map<number, Layer[]>()
  for (const layer of network.layers) {
    if (layer.part !== 'backbone') continue
    const { stride } = shapes.get(layer.name)!
    byStride.set(stride, [...(byStride.get(stride) ?? []), layer])
  }
  const stages = [...byStride].map(([stride, layers], i): Stage => {
    const last = layers.at(-1)!.name
    const taken = Object.entries(network.features).find(([, layer]) => layer === last)
    const number = byStride.has(1) ? i : i + 1
    const title = stride === 1 ? 'stem' : `stage ${number}`
    return {
      title: taken ? `${title} (${taken[0]})` : title,
      shape: shapes.get(last)!,
      detail: inWords(layers).join(', '),
    }
  })
  return { stages, scales: scalesOf(network, shapes) }
}

function scalesOf(network: NetworkSpec, shapes: ReadonlyMap<string, Shape>): Scale[] {
  const heads = network.layers.filter((layer): layer is Yolo => layer.kind === 'yolo')
  const seen = new Set<string>()
  const titles = new Map<string, string>()
  return heads.map((head, i): Scale => {
    const title = featureOfHead(i)
    const feature = network.features[title] ?? head.from
    const before = ancestorsOf(network, feature)
    const own = network.layers.filter(
      ({ name, part }) => part === 'neck' && before.has(name) && !seen.has(name),
    )
    const behind = ancestorsOf(network, head.name)
    const headLayers = network.layers.filter(
      ({ name }) => behind.has(name) && !before.has(name) && name !== head.name,
    )
    const joint = own.findIndex(
      (layer) => layer.kind === 'route' && layer.from.length > 1 && !poolsOf(layer, own),
    )
    const link = linkOf(own, [...titles].reverse())
    for (const { name } of own) seen.add(name)
    titles.set(feature, title)
    return {
      ...{ title, head, link, isJoined: joint >= 0 },
      feature: shapes.get(feature)!,
      logits: shapes.get(head.name)!,
      layers: inWords(own.slice(joint + 1)),
      pools: own.map((layer) => poolsOf(layer, own)).find(Boolean) ?? [],
      headLayers: inWords(headLayers),
    }
  })
}

/** The convolution in front of the last enlarging layer, both in words. */
function linkOf(own: readonly Layer[], titles: readonly (readonly [string, string])[]): Scale['link'] {
  const up = own.filter((layer) => layer.kind === 'upsample' || layer.kind === 'deconvolution').at(-1)
  if (!up) return undefined
  const before = own.find(({ name }) => name === sourcesOf(up)[0])
  const first = before?.kind === 'convolution' ? `${kernelText(before)} to ${before.out}, ` : ''
  const way =
    up.kind === 'deconvolution' ? `deconv ${up.kernel}×${up.kernel} /${up.stride}` : `nearest ×${up.stride}`
  return { text: first + way, of: titles[0]?.[1] ?? 'the neck' }
}

/** The sizes of the pools that a route puts beside their own input; nothing for another layer. */
function poolsOf(layer: Layer, around: readonly Layer[]): number[] | undefined {
  if (layer.kind !== 'route') return undefined
  const pools = layer.from.flatMap(
    (name) => around.find((other) => other.name === name && other.kind === 'maxPool') ?? [],
  )
  return pools.length > 1 ? pools.flatMap((pool) => (pool.kind === 'maxPool' ? [pool.size] : [])) : undefined
}

const kernelText = ({ kernel, stride }: Pick<Convolution, 'kernel' | 'stride'>) =>
  `${kernel}×${kernel}${stride > 1 ? ` /${stride}` : ''}`

/** Layers as a reader names them: residual blocks as one, pools and routes by what they do. */
function inWords(layers: readonly Layer[]): string[] {
  const inPyramid = new Set(layers.flatMap((layer) => (poolsOf(layer, layers) ? sourcesOf(layer) : [])))
  const words: Word[] = []
  for (const layer of layers) {
    const { name } = layer
    if (layer.kind === 'convolution') words.push({ name, text: kernelText(layer), width: layer.out })
    if (layer.kind === 'deconvolution') words.push({ name, text: `deconv ${kernelText(layer)}` })
    if (layer.kind === 'upsample') words.push({ name, text: `nearest ×${layer.stride}` })
    if (layer.kind === 'maxPool' && !inPyramid.has(name))
      words.push({ name, text: `max pool ${layer.size}${layer.stride > 1 ? ` /${layer.stride}` : ''}` })
    if (layer.kind === 'route' && layer.from.length > 1)
      words.push({ name, text: poolsOf(layer, layers) ? 'SPP' : 'concat' })
    if (layer.kind === 'shortcut') {
      // The block's own layers are those behind the earlier one of the maps that are added.
      const isTaken = words.slice(0, -1).map((word) => layer.from.includes(word.name))
      const inner = words.splice(isTaken.lastIndexOf(true) + 1)
      words.push({ name, text: RESIDUAL, width: inner[0]?.width })
    }
  }
  return joinBlocks(words)
}

/** What a reader calls a layer, or a residual block by its last one and the width of its first. */
interface Word {
  readonly name: string
  readonly text: string
  readonly width?: number
}

const RESIDUAL = 'residual block'

/** Residual blocks that follow one another as one entry with their inner widths. */
function joinBlocks(words: readonly Word[]): string[] {
  const joined: string[] = []
  for (let i = 0; i < words.length; i++) {
    const { text } = words[i]!
    if (text !== RESIDUAL) {
      joined.push(text)
      continue
    }
    const widths: number[] = []
    for (; words[i]?.text === RESIDUAL; i++) widths.push(words[i]!.width ?? 0)
    i--
    const same = widths.length > 3 && new Set(widths).size === 1
    const inner = same ? `${widths[0]} each` : widths.join(', ')
    joined.push(`${widths.length} residual block${widths.length > 1 ? 's' : ''} (${inner})`)
  }
  return joined
}
