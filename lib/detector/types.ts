import type { tf } from '../engine'

/** Channels of darknet21: `in[i] -> out[i]` for the five stride-2 convs, `mid` for the seven residual blocks. */
export interface BackboneWidths {
  readonly in: readonly number[]
  readonly out: readonly number[]
  readonly mid: readonly number[]
}

/** Everything that fixes a detector's architecture; plain data, so that a pruned network is a JSON file. */
export interface DetectorConfig {
  /** [height, width] in pixels, multiples of 32. */
  readonly input: readonly [number, number]
  readonly classes: number
  readonly backbone: BackboneWidths
  /** Channels of the neck at strides 32, 16, 8 (published: 512, 256, 128). */
  readonly neck: readonly [number, number, number]
  readonly upsample: 'deconv' | 'nearest'
  readonly spp: boolean
  /** [scale][anchor] = [width, height] in pixels; scales in the order of strides 32, 16, 8. */
  readonly anchors: readonly (readonly (readonly [number, number])[])[]
  /** s in bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride. */
  readonly scaleXY: number
}

/** Strides of the three heads, in the order of `outputs`. */
export const STRIDES = [32, 16, 8] as const

/** What a forward pass gives. Scales are in the order of STRIDES. */
export interface DetectorOutput {
  /** Raw logits [n, h / stride, w / stride, anchors * (5 + classes)], anchor-major: tx ty tw th obj class... */
  readonly outputs: readonly tf.Tensor4D[]
  /** Neck maps in front of the heads [n, h / stride, w / stride, neck[i]]. */
  readonly features: readonly tf.Tensor4D[]
}

/** Maps by the names of the layers' table: outputs of the stages C3, C4, C5 and of the neck's detect1, detect2, detect3. */
export interface NamedFeatures<T> {
  /** [n, h / 8, w / 8, out[2]], [n, h / 16, w / 16, out[3]] and [n, h / 32, w / 32, out[4]]. */
  readonly C3: T
  readonly C4: T
  readonly C5: T
  /** `features`: [n, h / 32, w / 32, neck[0]], [n, h / 16, w / 16, neck[1]] and [n, h / 8, w / 8, neck[2]]. */
  readonly detect1: T
  readonly detect2: T
  readonly detect3: T
}

/** What a detector's own forward pass gives: the losses need no more than a DetectorOutput. */
export interface ForwardOutput extends DetectorOutput {
  readonly named: NamedFeatures<tf.Tensor4D>
}
