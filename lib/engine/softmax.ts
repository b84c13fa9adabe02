import { type DeviceArray, inFloat64 } from './float64'
import { attribute, tf } from './native'

const REDUCTION = [attribute.type('Tidx', 'int32')]

/**
 * Divergence of two softmax distributions by row, p = softmax(teacher / T) and q = softmax(student / T), weighted and
 * summed,
 *
 *     KL = sum over rows of w * sum over channels of p * (log p - log q),
 *
 * and the differences that make up its gradient: dKL / dstudent = w * (q - p) / T. Both are small differences of large
 * numbers when the student is close to the teacher or T is large, so they are computed in float64 and rounded at the end.
 * 0 * log 0 is 0, and no finite logit gives NaN.
 *
 * @param student [rows, channels]
 * @param teacher [rows, channels]
 * @param temperature T, above 0
 * @param weights w [rows, 1]; 1 unless given
 * @returns divergence, a scalar, and differences w * (q - p) [rows, channels]; neither passes a gradient
 */
export function softmaxDivergence(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  temperature: number,
  weights?: tf.Tensor2D,
): { divergence: tf.Scalar; differences: tf.Tensor2D } {
  return inFloat64((device) => {
    const [studentLogits, teacherLogits] = [device.widen(student), device.widen(teacher)]
    const weighting = weights && device.widen(weights)
    const divisor = device.widen(tf.scalar(temperature))
    const channels = device.axis(1)
    const weigh = (rows: DeviceArray) => (weighting ? device.multiply(rows, weighting) : rows)
    const largest = (x: DeviceArray) =>
      device.compute('Max', [x, channels], [...REDUCTION, attribute.bool('keep_dims', true)])
    // log p = x - max(x) + log(max(p)): TensorFlow has no float64 LogSoftmax for GPUs.
    const distribution = (logits: DeviceArray) => {
      const x = temperature === 1 ? logits : device.compute('RealDiv', [logits, divisor])
      const p = device.compute('Softmax', [x])
      const shift = device.subtract(largest(x), device.compute('Log', [largest(p)]))
      return { p, log: device.subtract(x, shift) }
    }
    const [q, p] = [distribution(studentLogits), distribution(teacherLogits)]
    const elements = device.multiply(p.p, device.subtract(p.log, q.log))
    const both = device.indices(Int32Array.of(0, 1))
    const divergence = device.compute('Sum', [weigh(elements), both], REDUCTION)
    const differences = weigh(device.subtract(q.p, p.p))
    return {
      divergence: device.narrow(divergence) as tf.Scalar,
      differences: device.narrow(differences) as tf.Tensor2D,
    }
  })
}
