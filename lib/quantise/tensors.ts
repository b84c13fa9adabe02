/** Computes a network's body with tensors, step by step as the files do. */
import { type Activation, activate, maxPool } from '../detector'
import { biasAdd, groupedConv2d, type Tensor, tf, upsampleNearest } from '../engine'
import type { BodyFormat, Of, Rounding } from './body'
import type { Grid } from './grids'
import type { Convolution, Pool } from './plan'

/** The folded weights of a convolution: kernel [size, size, in / groups, out], bias [out]. */
export interface Folded {
  readonly kernel: tf.Tensor4D
  readonly bias: tf.Tensor1D
}

/** What is the same whatever the weights are and wherever values are rounded. */
export abstract class TensorBody implements BodyFormat<tf.Tensor4D> {
  abstract readonly quantisesInFront: boolean
  readonly quantisesMoved = false
  protected abstract weightsOf(step: Convolution, rounding: Rounding | undefined): Folded
  abstract quantise(x: tf.Tensor4D, grid: Grid, name: string): tf.Tensor4D

  conv(x: tf.Tensor4D, step: Convolution, rounding?: Rounding): tf.Tensor4D {
    const { stride, groups, padding, isSame } = step
    const { kernel, bias } = this.weightsOf(step, rounding)
    return biasAdd(groupedConv2d(x, kernel, groups, { stride, padding: isSame ? 'same' : padding[0] }), bias)
  }

  activate(x: tf.Tensor4D, activation: Activation): tf.Tensor4D {
    return activate(x, activation)
  }

  depthToSpace(x: tf.Tensor4D, { block }: Of<'depthToSpace'>): tf.Tensor4D {
    const [n, h, w, channels] = x.shape
    const out = channels / block ** 2
    // tfjs's own has no gradient.
    const cells = tf.reshape(x, [n * h, w, block, block * out])
    return tf.reshape(tf.transpose(cells, [0, 2, 1, 3]), [n, h * block, w * block, out]) as tf.Tensor4D
  }

  nearest(x: tf.Tensor4D, { factor }: Of<'nearest'>): tf.Tensor4D {
    return upsampleNearest(x, factor)
  }

  residual(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
    return tf.add(a, b)
  }

  concat(values: readonly tf.Tensor4D[]): tf.Tensor4D {
    return tf.concat([...values], 3)
  }

  maxPool(x: tf.Tensor4D, step: Pool): tf.Tensor4D {
    return maxPool(x, step, step)
  }

  slice(x: tf.Tensor4D, { begin, shape: [, , channels] }: Of<'slice'>): tf.Tensor4D {
    return tf.slice(x, [0, 0, 0, begin], [-1, -1, -1, channels])
  }

  widen(x: tf.Tensor4D, { by }: Of<'widen'>): tf.Tensor4D {
    const around = [0, 0, 0, by].map((behind): [number, number] => [0, behind])
    return tf.pad(x, around)
  }
}

/** Computes with a plan's own weights, and keeps the extremes of what would be rounded. */
export class Observer extends TensorBody {
  readonly quantisesInFront = true
  readonly seen = new Map<string, { readonly min: Tensor; readonly max: Tensor }>()

  protected weightsOf({ size, groups, in: inputs, out, kernel, bias }: Convolution): Folded {
    return { kernel: tf.tensor4d(kernel, [size, size, inputs / groups, out]), bias: tf.tensor1d(bias) }
  }

  quantise(x: tf.Tensor4D, _: Grid, name: string): tf.Tensor4D {
    this.seen.set(name, { min: tf.min(x), max: tf.max(x) })
    return x
  }
}
