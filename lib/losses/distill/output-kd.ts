import type { DetectorOutput } from '../../detector/types'
import { tf } from '../../engine'
import type { LossResult } from '../types'
import { klDivergence } from './divergence'
import { outputPairs, sumOf } from './pairs'
import { PUBLISHED } from './published'
import type { DistillationConfig, DistillationOptions } from './types'

/**
 * Method 1, the whole output as one distribution: softmax over ALL channels of a cell, box and objectness included,
 *
 *     sum over scales of mean over N * H * W * anchors * (5 + classes) of KL
 *
 * Options: `temperature`, `scaleByTemperatureSquared`. Terms: one a scale.
 */
export function outputKd(
  student: DetectorOutput,
  teacher: DetectorOutput,
  config: DistillationConfig,
  options: DistillationOptions = {},
): LossResult {
  const published = PUBLISHED['output-kd']
  const {
    temperature = published.temperature,
    scaleByTemperatureSquared = published.scaleByTemperatureSquared,
  } = options
  return sumOf(
    outputPairs(student, teacher, config).map((pair) => {
      const channels = pair.student.shape[3]
      const cells = (logits: tf.Tensor4D): tf.Tensor2D => tf.reshape(logits, [-1, channels])
      const sum = klDivergence(cells(pair.student), cells(pair.teacher), {
        temperature,
        scaleByTemperatureSquared,
      })
      return [pair.name, tf.mul<tf.Scalar>(sum, 1 / pair.student.size)]
    }),
  )
}
