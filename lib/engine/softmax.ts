import { attribute, type Float64, inFloat64, tf } from './native'

const reduction = [attribute.type('Tidx', 'int32')]

/**
 * Divergence of two softmax distributions by row, p = softmax(teacher / T) and q = softmax(student / T), weighted and
 * summed,
 *
 *     KL = sum over rows of w * sum over channels of p * (log p - log q),
 *
 * and the differences of which its gradient is made: dKL / dstudent = w * (q - p) / T. Both are small differences of large
 * numbers when the student is close to the teacher or T is large, so they are computed in float64 and rounded at the end.
 * 0 * log 0 is 0, and no finite logit gives NaN.
 *
 * @param student [rows, channels]
 * @param teacher [rows, channels]
 * @param temperature T, above 0
 * @param weights w [rows, 1]; 1 unless given
 * @returns divergence, a scalar, and differences w * (q - p) [rows, channels]; no gradient goes through either
 */
export function softmaxDivergence(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  temperature: number,
  weights?: tf.Tensor2D,
): { divergence: tf.Scalar; differences: tf.Tensor2D } {
  const inputs = { student, teacher, weights, divisor: tf.scalar(temperature) }
  const { divergence, differences } = inFloat64(inputs, (wide, run) => {
    const weigh = (rows: Float64) => (wide.weights ? run('Mul', [rows, wide.weights]) : rows)
    const channels = tf.scalar(1, 'int32')
    const largest = (x: Float64) =>
      run('Max', [x, channels], [...reduction, attribute.bool('keep_dims', true)])
    // log p = x - max(x) + log(max(p)): TensorFlow has no LogSoftmax of float64 for GPUs.
    const distribution = (logits: Float64) => {
      const x = temperature === 1 ? logits : run('RealDiv', [logits, wide.divisor])
      const p = run('Softmax', [x])
      const shift = run('Sub', [largest(x), run('Log', [largest(p)])])
      return { p, log: run('Sub', [x, shift]) }
    }
    const [q, p] = [distribution(wide.student), distribution(wide.teacher)]
    const elements = run('Mul', [p.p, run('Sub', [p.log, q.log])])
    return {
      divergence: run('Sum', [weigh(elements), tf.tensor1d([0, 1], 'int32')], reduction),
      differences: weigh(run('Sub', [q.p, p.p])),
    }
  })
  return { divergence: divergence as tf.Scalar, differences: differences as tf.Tensor2D }
}
