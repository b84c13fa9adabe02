/** Images as bytes: a quarter of float32 on their way to the device, where scaling to 0..1 is the first operation. */
import { ATTR, byteTensor, DTYPE, execute, nativeType, tf } from './native'

/**
 * Images as a tensor of bytes, which tfjs takes for int32. Only `unitPixels` computes with it.
 * @param bytes as a loader gives them; the tensor uses this memory, so they must not change while it lives
 * @param shape [n, h, w, channels]
 */
export function pixelTensor(
  bytes: Uint8Array,
  shape: readonly [number, number, number, number],
): tf.Tensor4D {
  if (bytes.length !== shape.reduce((product, length) => product * length)) {
    throw new Error(`images: expected bytes for [${shape}], found ${bytes.length}`)
  }
  return byteTensor(bytes, shape) as tf.Tensor4D
}

/**
 * Images as a network takes them, in 0..1: whole numbers v in 0..255 as v * (1 / 255) in float32, float32 as it is.
 * @param images [n, h, w, channels]: a `pixelTensor`, int32 or float32
 */
export function unitPixels(images: tf.Tensor4D): tf.Tensor4D {
  if (images.dtype === 'float32') return images
  const types = [
    { name: 'SrcT', type: ATTR.type, value: nativeType(images) },
    { name: 'DstT', type: ATTR.type, value: DTYPE.float32 },
    { name: 'Truncate', type: ATTR.bool, value: false },
  ]
  return tf.mul(execute('Cast', types, [images])[0]!, 1 / 255)
}
