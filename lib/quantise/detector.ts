/** A detector whose forward pass rounds as its int8 file does, in training too. */
import { BATCH_NORM_EPSILON, Detector, type ForwardOutput, type NetworkSpec, type Weights } from '../detector'
import { type Tensor, tf, unitPixels } from '../engine'
import { activationNames, type Rounding, runBody } from './body'
import { channelScales, fakeQuantise, fakeQuantiseBias, fakeQuantiseKernel, rearrange } from './fake'
import { type Grid, type Grids, quantisesInFront } from './grids'
import { gridsOf, type Quantisation } from './options'
import { asConvolution, type Convolution, type Plan, planOf } from './plan'
import { type Folded, TensorBody } from './tensors'

/** The detector of a checkpoint: one that rounds where the checkpoint says so. */
export function detectorOf({
  network,
  weights,
  quantisation,
}: {
  readonly network: NetworkSpec
  readonly weights: Weights
  readonly quantisation?: Quantisation
}): Detector {
  return quantisation ? new QuantisedDetector(network, weights, quantisation) : new Detector(network, weights)
}

/**
 * Runs a network as `writeBody` writes it to an int8 file: batch norm folded into the kernels, kernels rounded to 8 bits a channel,
 * activations to the grids of a calibration. Trained like that (`forward` passes gradients through the rounding), kernels, gamma,
 * beta and biases learn to be rounded; the running statistics and the grids stay as they are (Jacob et al. 2018, with batch norm
 * frozen). A bias is rounded where the file's is: to 32 bits for ONNX Runtime and LiteRT, not for OpenVINO and TensorRT.
 */
export class QuantisedDetector extends Detector {
  private readonly plan: Plan
  private readonly grids: Grids

  /** @throws Error naming an activation of which no range is known, or what of the network a file cannot say */
  constructor(
    network: NetworkSpec,
    weights: Weights,
    readonly quantisation: Quantisation,
  ) {
    super(network, weights)
    const { calibration, head, for: target } = quantisation
    this.plan = planOf({ network, weights })
    const missing = activationNames(this.plan).find((name) => !calibration.ranges[name])
    if (missing !== undefined)
      throw new Error(
        `quantisation: expected a range of ${missing}, found none; it was calibrated for another network`,
      )
    this.grids = gridsOf(calibration, { head, symmetric: target === 'tensorrt' })
  }

  override copy(): QuantisedDetector {
    return new QuantisedDetector(this.network, this.weights(), this.quantisation)
  }

  /**
   * @param images [n, h, w, 3] in 0..1, or bytes, h and w those of the network's input
   * @throws Error when the images have another shape
   */
  override forward(images: tf.Tensor4D): ForwardOutput {
    const [height, width] = this.network.input
    if (images.shape.slice(1).join() !== `${height},${width},3`)
      throw new Error(
        `images: expected [n, ${height}, ${width}, 3], as an int8 file takes them, found [${images.shape}]`,
      )
    const body = new RoundingBody(this, quantisesInFront(this.quantisation.for))
    const at = runBody(body, this.plan, unitPixels(images), this.grids)
    const { outputs, features, named } = this.plan
    return {
      outputs: outputs.map(at),
      features: features.map(at),
      named: Object.fromEntries(Object.entries(named).map(([name, step]) => [name, at(step)])),
    }
  }
}

/** Computes with a detector's variables, rounded. */
class RoundingBody extends TensorBody {
  constructor(
    private readonly detector: Detector,
    readonly quantisesInFront: boolean,
  ) {
    super()
  }

  quantise(x: tf.Tensor4D, grid: Grid): tf.Tensor4D {
    return fakeQuantise(x, grid)
  }

  protected weightsOf(step: Convolution, rounding: Rounding | undefined): Folded {
    const { kernel, bias } = this.folded(step)
    if (!rounding) return { kernel, bias }
    const { inputScale } = rounding
    if (inputScale === undefined) return { kernel: fakeQuantiseKernel(kernel), bias }
    const scales = channelScales(kernel, { bias, inputScale })
    return {
      kernel: fakeQuantiseKernel(kernel, scales),
      bias: fakeQuantiseBias(bias, scales, inputScale),
    }
  }

  /** As `planOf` folds: the same operations, so the same bits. */
  private folded({ layer: name, size, in: inputs, groups, out }: Convolution): Folded {
    const variable = (suffix: string): Tensor => this.detector.variable(`${name}/${suffix}`)
    const { kind, batchNorm, kernel: side, stride, out: channels } = this.layer(name)
    const isDeconvolution = kind === 'deconvolution'
    const norm = batchNorm && this.scaleAndShift(name)
    const kernel = norm
      ? tf.mul(
          variable('kernel'),
          tf.reshape(norm.scale, [1, 1, ...(isDeconvolution ? [channels, 1] : [1, channels])]),
        )
      : variable('kernel')
    const bias = norm ? norm.shift : variable('bias')
    if (!isDeconvolution) return { kernel: kernel as tf.Tensor4D, bias: bias as tf.Tensor1D }
    const numbers = Float32Array.from({ length: kernel.size }, (_, i) => i + 1)
    const { values } = asConvolution(numbers, { kernel: side, stride, inputs, out: channels })
    const places = Int32Array.from(values, (number) => number - 1)
    const shape = [size, size, inputs / groups, out]
    return {
      kernel: rearrange(kernel, places, shape) as tf.Tensor4D,
      bias: tf.tile(bias as tf.Tensor1D, [stride ** 2]),
    }
  }

  private scaleAndShift(name: string): { readonly scale: Tensor; readonly shift: Tensor } {
    const variable = (suffix: string): Tensor => this.detector.variable(`${name}/${suffix}`)
    const deviation = tf.sqrt(tf.add(variable('variance'), BATCH_NORM_EPSILON))
    const scale = tf.div(variable('gamma'), deviation)
    return { scale, shift: tf.sub(variable('beta'), tf.mul(variable('mean'), scale)) }
  }

  private layer(name: string) {
    const found = this.detector.layers.find((layer) => layer.name === name)
    if (!found) throw new Error(`layer ${name}: the architecture has no such layer`)
    return found
  }
}
