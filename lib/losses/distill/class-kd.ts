import type { DetectorOutput } from '../../detector/types'
import { tf } from '../../engine'
import type { LossResult } from '../types'
import { klDivergence } from './divergence'
import { anchorRows, classLogits, outputPairs, sumOf } from './pairs'
import { PUBLISHED } from './published'
import type { DistillationConfig, DistillationOptions } from './types'

/**
 * Method 2, the classes: per anchor, softmax over its class channels,
 *
 *     sum over scales and anchors of mean over N * H * W * classes of KL
 *
 * Options: `temperature`, `scaleByTemperatureSquared`. Terms: one a scale.
 */
export function classKd(
  student: DetectorOutput,
  teacher: DetectorOutput,
  config: DistillationConfig,
  options: DistillationOptions = {},
): LossResult {
  const published = PUBLISHED['class-kd']
  const {
    temperature = published.temperature,
    scaleByTemperatureSquared = published.scaleByTemperatureSquared,
  } = options
  const { classes } = config
  return sumOf(
    outputPairs(student, teacher, config).map((pair) => {
      const logits = (x: tf.Tensor4D) => classLogits(anchorRows(x, 5 + classes), classes)
      const sum = klDivergence(logits(pair.student), logits(pair.teacher), {
        temperature,
        scaleByTemperatureSquared,
      })
      const [n, h, w] = pair.student.shape
      return [pair.name, tf.mul<tf.Scalar>(sum, 1 / (n * h * w * classes))]
    }),
  )
}
