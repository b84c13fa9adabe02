import { attribute, inFloat64, type Tensor, tf } from './native'

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
  const { divergence, differences } = inFloat64(
    [student, teacher, tf.scalar(temperature), ...(weights ? [weights] : [])],
    ([s, t, divisor, w], run) => {
      const soften = (logits: typeof s) => (temperature === 1 ? logits! : run('RealDiv', [logits!, divisor!]))
      const weigh = (rows: NonNullable<typeof s>) => (w ? run('Mul', [rows, w]) : rows)
      const logStudent = run('LogSoftmax', [soften(s)])
      const logTeacher = run('LogSoftmax', [soften(t)])
      const [q, p] = [run('Exp', [logStudent]), run('Exp', [logTeacher])]
      const elements = run('Mul', [p, run('Sub', [logTeacher, logStudent])])
      const axes = tf.tensor1d([0, 1], 'int32')
      return {
        divergence: run('Sum', [weigh(elements), axes], [attribute.type('Tidx', 'int32')]),
        differences: weigh(run('Sub', [q, p])),
      }
    },
  )
  return { divergence: divergence as Tensor as tf.Scalar, differences: differences as Tensor as tf.Tensor2D }
}
