/** Checks whether convolutions are right on this device, and how fast they are. */
import { tf } from '../engine'

export interface ConvolutionCheck {
  gflops: number
  /** Largest difference from a convolution computed with plain loops in float64, relative to its largest value. */
  error: number
}

/** Runs 3x3 convolutions for about a second, and compares a small one with plain loops. */
export function checkConvolution(seconds = 1): ConvolutionCheck {
  return { gflops: throughput(seconds), error: numericalError() }
}

function throughput(seconds: number): number {
  const [batch, size, channels] = [4, 48, 128]
  const x = tf.randomUniform<tf.Rank.R4>([batch, size, size, channels], -1, 1, 'float32', 1)
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, channels, channels], -1, 1, 'float32', 2)
  const once = (): void => tf.tidy(() => void tf.sum(tf.conv2d(x, filter, 1, 'same')).dataSync())
  once()
  const started = performance.now()
  let count = 0
  while (performance.now() - started < 1000 * seconds) {
    once()
    count++
  }
  const elapsed = (performance.now() - started) / 1000
  tf.dispose([x, filter])
  return (2 * 9 * batch * size ** 2 * channels ** 2 * count) / elapsed / 1e9
}

function numericalError(): number {
  const [size, inputs, outputs] = [7, 5, 6]
  const x = Float32Array.from({ length: size * size * inputs }, (_, i) => Math.sin(i))
  const w = Float32Array.from({ length: 9 * inputs * outputs }, (_, i) => Math.cos(2 * i))
  const found = tf.tidy(() =>
    tf
      .conv2d(tf.tensor4d(x, [1, size, size, inputs]), tf.tensor4d(w, [3, 3, inputs, outputs]), 1, 'valid')
      .dataSync(),
  )
  const side = size - 2
  let error = 0
  let largest = 0
  for (let i = 0; i < side * side * outputs; i++) {
    const [row, column, output] = [
      Math.floor(i / (side * outputs)),
      Math.floor(i / outputs) % side,
      i % outputs,
    ]
    let sum = 0
    for (let k = 0; k < 9 * inputs; k++) {
      const [dy, dx, input] = [Math.floor(k / (3 * inputs)), Math.floor(k / inputs) % 3, k % inputs]
      sum += x[((row + dy) * size + column + dx) * inputs + input]! * w[k * outputs + output]!
    }
    error = Math.max(error, Math.abs(found[i]! - sum))
    largest = Math.max(largest, Math.abs(sum))
  }
  return error / largest
}
