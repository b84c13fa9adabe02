import { type Convolution, IMAGES, type Layer, type NetworkSpec } from '../spec'
import { withParts } from './parts'

/**
 * A list of layers as a cfg file has them: called by their numbers, and with a route in front of a layer that takes another map
 * than the last. Every function adds a layer and returns its name.
 */
export function darknetList() {
  const layers: Layer[] = []
  const common = (type: string) => ({ name: `${type}${layers.length}`, part: 'backbone' }) as const
  const add = (layer: Layer): string => {
    layers.push(layer)
    return layer.name
  }
  const route = (from: readonly string[]) =>
    add({ kind: 'route', ...common('route'), from, groups: 1, groupId: 0 })
  const behind = (name: string): string => {
    const last = layers.at(-1)?.name ?? IMAGES
    return name === last ? name : route([name])
  }
  return {
    route,
    /** With batch norm and leaky; zeros half a kernel wide on every side. */
    conv(x: string, out: number, kernel: number, more: Partial<Convolution> = {}): string {
      const from = behind(x)
      const own = { kernel, stride: 1, padding: Math.floor(kernel / 2), groups: 1, out }
      const block = { batchNorm: true, activation: 'leaky' } as const
      return add({ kind: 'convolution', ...common('conv'), from, ...own, ...block, ...more })
    },
    maxpool(x: string, size: number, stride: number): string {
      const from = behind(x)
      return add({ kind: 'maxPool', ...common('maxpool'), from, size, stride, padding: size - 1 })
    },
    upsample(x: string): string {
      const from = behind(x)
      return add({ kind: 'upsample', ...common('upsample'), from, stride: 2 })
    },
    shortcut(a: string, b: string): string {
      const from = behind(b)
      return add({ kind: 'shortcut', ...common('shortcut'), from: [from, a], activation: 'linear' })
    },
    yolo(x: string, anchors: readonly (readonly [number, number])[], classes: number): string {
      const from = behind(x)
      return add({ kind: 'yolo', ...common('yolo'), from, anchors, classes, scaleXY: 1 })
    },
    network: (input: readonly [number, number]): NetworkSpec =>
      withParts({ input, channels: 3, layers, features: {} }),
  }
}
