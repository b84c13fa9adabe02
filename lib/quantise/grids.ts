/** Eight-bit numbers: which 256 values an activation, and which 255 a kernel's channel, is rounded to. */
import type { Convolution } from './plan'

/** value = (q - zeroPoint) * scale with q in 0..255. */
export interface Grid {
  readonly scale: number
  readonly zeroPoint: number
}

/**
 * What a quantised file is for: runtimes fuse different patterns, and run any other slower than float. ONNX Runtime fuses a
 * convolution where rounding follows at once, in front of the LeakyReLU; OpenVINO and TensorRT fuse the LeakyReLU into the
 * convolution and want rounding behind it alone, and TensorRT signed numbers around 0.
 */
export const TARGETS = ['onnxruntime', 'openvino', 'tensorrt'] as const
/** What a quantised file is for. */
export type Target = (typeof TARGETS)[number]

/** Whether a convolution's values are rounded in front of their activation too. */
export const quantisesInFront = (target: Target): boolean => target === 'onnxruntime'

/** What a quantised file rounds. */
export interface Grids {
  /** By the step's name, that of the values in front of its LeakyReLU (see `inFront`), or `images`. */
  readonly activations: ReadonlyMap<string, Grid>
  /** Whether the convolutions that give the logits are rounded too. */
  readonly head: boolean
}

/** Smallest and largest value. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** The smallest scale is one that divides without overflow. */
export const SMALLEST_SCALE = 1e-9

/** The grid that holds a range and 0 exactly (Jacob et al. 2018, section 3). */
export function gridOf({ min, max }: Range): Grid {
  const [low, high] = [Math.min(0, min), Math.max(0, max)]
  const scale = Math.fround(Math.max((high - low) / 255, SMALLEST_SCALE))
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-low / scale))) }
}

/** The same with the zero in the middle of the signed numbers -128..127, as TensorRT asks: q - 128 is what it computes with. */
export function symmetricGridOf({ min, max }: Range): Grid {
  return { scale: Math.fround(Math.max(Math.max(-min, max) / 127, SMALLEST_SCALE)), zeroPoint: 128 }
}

/** Smallest and largest value of a grid. */
export function boundsOf({ scale, zeroPoint }: Grid): Range {
  return { min: -zeroPoint * scale, max: (255 - zeroPoint) * scale }
}

/** Weights are whole numbers from -127 to 127 times the scale of their channel. */
export const LARGEST_WEIGHT = 127

/** A recorded graph multiplies where it would divide by a constant; so does everything here, for the same bits. */
export const PER_WEIGHT = Math.fround(1 / LARGEST_WEIGHT)

/** Biases are whole numbers up to this, so that 32 bits hold them and what is added to them. */
const LARGEST_BIAS = 2 ** 30

/** What a bias is multiplied by for the smallest scale of its channel's kernel. */
export const perBias = (inputScale: number): number => Math.fround(1 / (LARGEST_BIAS * inputScale))

/**
 * One scale per output channel: the largest weight is 127. Where a bias is rounded too, in steps of that times the input's scale, it is
 * large enough for the bias to fit: of a channel that slimming has switched off the weights are next to 0, and the bias is all there is.
 */
export function kernelScales(
  { kernel, bias, out }: Pick<Convolution, 'kernel' | 'bias' | 'out'>,
  inputScale?: number,
): Float32Array {
  const largest = new Float32Array(out).fill(LARGEST_WEIGHT * SMALLEST_SCALE)
  for (let i = 0; i < kernel.length; i++) {
    const channel = i % out
    largest[channel] = Math.max(largest[channel]!, Math.abs(kernel[i]!))
  }
  const scales = largest.map((value) => value * PER_WEIGHT)
  if (inputScale === undefined) return scales
  const factor = perBias(inputScale)
  return scales.map((scale, i) => Math.max(scale, Math.abs(bias[i]!) * factor))
}

/** A bias as a file holds it: whole numbers, and their steps, the input's scale times the kernel's (Jacob et al. 2018, section 2.4). */
export function wholeBias(
  step: Pick<Convolution, 'kernel' | 'bias' | 'out'>,
  inputScale: number,
): { readonly whole: Int32Array; readonly scales: Float32Array } {
  const scales = kernelScales(step, inputScale).map((scale) => scale * inputScale)
  // The quotient in float32, as a tensor has it.
  const whole = Int32Array.from(step.bias, (value, i) => roundEven(Math.fround(value / scales[i]!)))
  return { whole, scales }
}

/** To the nearest whole number, halves to the even one, as runtimes round. */
export function roundEven(value: number): number {
  const rounded = Math.round(value)
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}
