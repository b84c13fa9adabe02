import type { Random } from '../../base'
import { type DetectorOutput, STRIDES } from '../../detector/types'
import { tf } from '../../engine'
import type { LossResult } from '../types'
import { constant, expectScales, sumOf } from './pairs'
import type { DistillationConfig, DistillationOptions } from './types'

/**
 * Method 5, hints (Romero et al. 2015, equation 3): the neck maps in front of the heads,
 *
 *     sum over scales of mean over N * H * W * width of (adapter(s) - t)^2
 *
 * Where the widths differ, the student's map passes a linear 1x1 convolution, the adapter, which is trained along and is
 * no part of the student.
 *
 * Option: `adapters`. Terms: one a scale.
 *
 * @throws Error when the numbers of maps or the shapes disagree, with both
 */
export function featureMse(
  student: DetectorOutput,
  teacher: DetectorOutput,
  _config: DistillationConfig,
  options: DistillationOptions = {},
): LossResult {
  const { adapters = [] } = options
  expectScales('features', teacher.features.length, student.features, teacher.features)
  return sumOf(
    student.features.map((map, s) => {
      const name = `stride${STRIDES[s]}`
      const target = teacher.features[s]
      const kernel = adapters[s]
      const adapted = kernel ? tf.conv2d(map, kernel, 1, 'same') : map
      if (target === undefined || String(adapted.shape) !== String(target.shape)) {
        throw new Error(
          `${name}: expected features of the teacher's shape [${target?.shape ?? 'none'}], found [${adapted.shape}] ` +
            `${kernel ? 'behind the adapter' : 'without an adapter; where widths differ, createAdapters gives the kernels'}`,
        )
      }
      return [name, tf.mean(tf.squaredDifference(adapted, constant(target))) as tf.Scalar]
    }),
  )
}

/** For each feature map, whether the student's width differs from the teacher's. */
export function adaptersNeeded(
  studentWidths: readonly number[],
  teacherWidths: readonly number[],
): boolean[] {
  if (studentWidths.length !== teacherWidths.length) {
    throw new Error(`expected as many feature maps, found widths [${studentWidths}] and [${teacherWidths}]`)
  }
  return studentWidths.map((width, s) => width !== teacherWidths[s])
}

/**
 * Initial adapters: kernels [1, 1, student width, teacher width] where the widths differ, normal with variance
 * 1 / student width, which keeps the variance of the map (LeCun et al. 1998). The caller owns the tensors.
 */
export function createAdapters(
  studentWidths: readonly number[],
  teacherWidths: readonly number[],
  random: Random,
): (tf.Tensor4D | undefined)[] {
  return adaptersNeeded(studentWidths, teacherWidths).map((needed, s) => {
    if (!needed) return undefined
    const [from, to] = [studentWidths[s]!, teacherWidths[s]!]
    const values = Float32Array.from({ length: from * to }, () => random.normal() / Math.sqrt(from))
    return tf.tensor4d(values, [1, 1, from, to])
  })
}
