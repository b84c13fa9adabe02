/** Adapters between feature maps of different widths: 1x1 convolutions from the student's width to the teacher's. */
import type { Random } from '../../base'
import type { DetectorOutput, HeadConfig } from '../../detector'
import { tf } from '../../engine'
import { constant, expectScales, type Pair } from './pairs'
import type { DistillationConfig, Variables } from './types'

const nameOf = (scale: number) => `adapter${scale + 1}/kernel`

/**
 * Initial adapters: kernels [1, 1, student width, teacher width] for the neck maps whose widths differ, normal with
 * variance 1 / student width, which preserves the map's variance (LeCun et al. 1998). The caller owns the tensors.
 *
 * @returns by name: `adapter1/kernel` for the first scale
 */
export function createAdapters(
  student: Pick<HeadConfig, 'featureWidths'>,
  teacher: Pick<HeadConfig, 'featureWidths'>,
  random: Random,
): Map<string, tf.Tensor4D> {
  const kernels = new Map<string, tf.Tensor4D>()
  student.featureWidths.forEach((from, scale) => {
    const to = teacher.featureWidths[scale] ?? from
    if (from === to) return
    const values = Float32Array.from({ length: from * to }, () => random.normal() / Math.sqrt(from))
    kernels.set(nameOf(scale), tf.tensor4d(values, [1, 1, from, to]))
  })
  return kernels
}

/**
 * Pairs of neck maps [n, h, w, teacher width] of each scale: the student's after its adapter, if any, and the
 * teacher's constant.
 *
 * @throws Error when the numbers of maps or the shapes disagree, naming both
 */
export function featurePairs(
  student: DetectorOutput,
  teacher: DetectorOutput,
  { strides, featureNames }: Pick<DistillationConfig, 'strides' | 'featureNames'>,
  adapters: Variables,
): Pair[] {
  expectScales('features', teacher.features.length, student.features, teacher.features)
  return student.features.map((map, s) => {
    const name = featureNames?.[s] ?? `stride${strides[s]}`
    const target = teacher.features[s]
    const kernel = adapters.get(nameOf(s)) as tf.Tensor4D | undefined
    const adapted = kernel ? tf.conv2d(map, kernel, 1, 'same') : map
    if (target === undefined || String(adapted.shape) !== String(target.shape)) {
      throw new Error(
        `${name}: expected features of the teacher's shape [${target?.shape ?? 'none'}], found [${adapted.shape}] ` +
          `${kernel ? 'after the adapter' : 'without an adapter; where widths differ, createVariables gives the kernels'}`,
      )
    }
    return { name, student: adapted, teacher: constant(target) }
  })
}
