/** Networks as cfg texts. */
import { shapesOf } from '../shapes'
import { type Convolution, IMAGES, type Layer, type MaxPool, type NetworkSpec, type Yolo } from '../spec'
import { convolutionsOf } from './weights'

/**
 * A network as a cfg text, a section for every layer; a route stands in front of one that takes another map than the last.
 *
 * @param remark the first line, a comment
 * @throws Error for a deconvolution, which OpenCV and current Darknet versions have no section for
 */
export function networkCfg(network: NetworkSpec, remark = 'YOLOv3'): string {
  convolutionsOf(network) // refuses deconvolutions
  const { input, channels, layers } = network
  const [height, width] = input
  const shapes = shapesOf(network)
  const { batch = '1', subdivisions = '1', ...more } = network.darknet ?? {}
  const lines = [`# ${remark}`, '[net]', `batch=${batch}`, `subdivisions=${subdivisions}`]
  lines.push(`width=${width}`, `height=${height}`, `channels=${channels}`, ...keys(more))
  const numbers = new Map([[IMAGES, -1]])
  let last = -1
  const add = (type: string, entries: readonly string[], layer?: Layer) => {
    lines.push('', `[${type}]`, ...entries, ...keys(layer?.darknet ?? {}))
    last++
    if (layer) numbers.set(layer.name, last)
  }
  /** Counted back from the layer that is being written. */
  const relative = (name: string) => numbers.get(name)! - last - 1
  /** A layer takes what the one before gives, unless a route stands in front. */
  const from = (name: string) => {
    if (numbers.get(name) !== last) add('route', [`layers=${relative(name)}`])
  }
  const anchors = anchorsOf(layers, (layer) => shapes.get(layer.name)!.stride)
  for (const layer of layers) {
    switch (layer.kind) {
      case 'convolution':
        from(layer.from)
        add('convolutional', convolutionEntries(layer), layer)
        break
      case 'maxPool':
        from(layer.from)
        add('maxpool', poolEntries(layer), layer)
        break
      case 'upsample':
        from(layer.from)
        add('upsample', [`stride=${layer.stride}`], layer)
        break
      case 'route': {
        const parts = layer.groups > 1 ? [`groups=${layer.groups}`, `group_id=${layer.groupId}`] : []
        add('route', [`layers=${layer.from.map(relative).join(',')}`, ...parts], layer)
        break
      }
      case 'shortcut': {
        // Of maps with as many channels any may come first; one that was written last needs no route.
        const channelsOf = (name: string) => shapes.get(name)!.channels
        const first =
          layer.from.find(
            (name) => numbers.get(name) === last && channelsOf(name) === channelsOf(layer.from[0]!),
          ) ?? layer.from[0]!
        from(first)
        const others = [...layer.from]
        others.splice(others.indexOf(first), 1)
        add('shortcut', [`from=${others.map(relative).join(',')}`, `activation=${layer.activation}`], layer)
        break
      }
      case 'yolo':
        from(layer.from)
        add('yolo', yoloEntries(layer, anchors), layer)
    }
  }
  return `${lines.join('\n')}\n`
}

const keys = (entries: { readonly [key: string]: string }) =>
  Object.entries(entries).map(([key, value]) => `${key}=${value}`)

function convolutionEntries({
  out,
  kernel,
  stride,
  padding,
  groups,
  batchNorm,
  activation,
}: Convolution): string[] {
  return [
    ...(batchNorm ? ['batch_normalize=1'] : []),
    ...[`filters=${out}`, `size=${kernel}`, `stride=${stride}`],
    ...(padding === Math.floor(kernel / 2) ? ['pad=1'] : ['pad=0', `padding=${padding}`]),
    ...(groups > 1 ? [`groups=${groups}`] : []),
    `activation=${activation}`,
  ]
}

function poolEntries({ size, stride, padding }: MaxPool): string[] {
  return [`size=${size}`, `stride=${stride}`, ...(padding === size - 1 ? [] : [`padding=${padding}`])]
}

/** The anchors of all heads, as Darknet's files list them: from small to large, that is from the finest scale. */
function anchorsOf(layers: readonly Layer[], strideOf: (layer: Layer) => number) {
  const heads = layers.filter((layer): layer is Yolo => layer.kind === 'yolo')
  const firsts = new Map<string, number>()
  const all: (readonly [number, number])[] = []
  for (const head of [...heads].sort((a, b) => strideOf(a) - strideOf(b))) {
    firsts.set(head.name, all.length)
    all.push(...head.anchors)
  }
  return { all, firsts }
}

function yoloEntries(
  { name, anchors, classes, scaleXY }: Yolo,
  { all, firsts }: ReturnType<typeof anchorsOf>,
): string[] {
  return [
    `mask=${anchors.map((_, i) => firsts.get(name)! + i).join(',')}`,
    `anchors=${all.map((size) => size.join(',')).join(', ')}`,
    ...[`classes=${classes}`, `num=${all.length}`],
    ...(scaleXY === 1 ? [] : [`scale_x_y=${scaleXY}`]),
  ]
}
