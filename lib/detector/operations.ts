/**
 * The operations that a detector is built from. The network is written once over any value type T: tensors (a forward
 * pass), shapes (counting, drawing) or text (Darknet files).
 */
export type Part = 'backbone' | 'neck' | 'head'

/** A convolution without bias, then batch norm and LeakyReLU. */
export interface ConvSpec {
  readonly name: string
  readonly part: Part
  /** Side of the square kernel. */
  readonly kernel: number
  readonly stride: number
  readonly out: number
}

export interface Operations<T> {
  /** conv -> batch norm -> LeakyReLU 0.1; zeros (kernel - 1) / 2 wide on every side, as Darknet pads. */
  conv(x: T, spec: ConvSpec): T
  /** 2x2 deconvolution with stride 2 -> batch norm -> LeakyReLU. */
  deconv(x: T, spec: Omit<ConvSpec, 'kernel' | 'stride'>): T
  /** Repeats every pixel twice in both directions. */
  nearest(x: T): T
  /** 1x1 convolution with bias, nothing behind it. */
  linear(x: T, spec: Omit<ConvSpec, 'kernel' | 'stride'>): T
  add(a: T, b: T): T
  concat(values: readonly T[]): T
  /** Max pool with stride 1 that keeps the size. */
  maxPool(x: T, size: number): T
}
