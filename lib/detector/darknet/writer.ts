/** Writes cfg texts: every function adds a layer and returns its number, by which later layers name it. */

export interface ConvolutionOptions {
  readonly filters: number
  readonly size: number
  readonly stride?: number
  /** With batch norm and leaky (the default), or with a bias alone. */
  readonly linear?: boolean
}

export interface YoloOptions {
  /** [width, height] in pixels, of all scales. */
  readonly anchors: readonly (readonly [number, number])[]
  /** Indices of this scale's anchors. */
  readonly mask: readonly number[]
  readonly classes: number
  readonly scaleXY?: number
}

/** The number of the input images. */
export const IMAGES = -1

/** @param input [height, width] in pixels */
export function cfgWriter(input: readonly [number, number], remark: string) {
  const [height, width] = input
  const lines = [`# ${remark}`, '[net]', 'batch=1', 'subdivisions=1']
  lines.push(`width=${width}`, `height=${height}`, 'channels=3')
  let last = IMAGES
  const add = (type: string, entries: readonly string[]): number => {
    lines.push('', `[${type}]`, ...entries)
    return ++last
  }
  /** Counted back from the layer that is being written. */
  const relative = (layer: number) => layer - last - 1
  const route = (layers: readonly number[]) => add('route', [`layers=${layers.map(relative).join(',')}`])
  /** A layer takes what the one before gives, unless a route stands in front. */
  const from = (layer: number) => {
    if (layer !== last) route([layer])
  }
  return {
    conv(x: number, { filters, size, stride = 1, linear = false }: ConvolutionOptions): number {
      from(x)
      const activation = `activation=${linear ? 'linear' : 'leaky'}`
      const entries = [`filters=${filters}`, `size=${size}`, `stride=${stride}`, 'pad=1', activation]
      return add('convolutional', linear ? entries : ['batch_normalize=1', ...entries])
    },
    maxpool(x: number, size: number, stride: number): number {
      from(x)
      return add('maxpool', [`size=${size}`, `stride=${stride}`])
    },
    upsample(x: number): number {
      from(x)
      return add('upsample', ['stride=2'])
    },
    shortcut(a: number, b: number): number {
      from(b)
      return add('shortcut', [`from=${relative(a)}`, 'activation=linear'])
    },
    route,
    yolo(x: number, { anchors, mask, classes, scaleXY = 1 }: YoloOptions): number {
      from(x)
      const entries = [
        `mask=${mask.join(',')}`,
        `anchors=${anchors.map((size) => size.join(',')).join(', ')}`,
      ]
      entries.push(`classes=${classes}`, `num=${anchors.length}`)
      return add('yolo', scaleXY === 1 ? entries : [...entries, `scale_x_y=${scaleXY}`])
    },
    text: () => `${lines.join('\n')}\n`,
  }
}
