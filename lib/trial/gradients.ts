import { createLoader, type Sample } from '../data'
import type { Detector } from '../detector'
import { pixelTensor, scoped, tf, unitPixels } from '../engine'
import {
  assignTargets,
  type GradientNorms,
  gradientNorms,
  lambdaForRatio,
  targetTensors,
  yoloLoss,
} from '../losses'
import { type ExtraLoss, loaderOptions, type TrainOptions } from '../train'
import type { Metrics } from './metrics'
import type { Term } from './recipe'

/** Number of batches over which the gradients of ground truth and distillation are compared before a run. */
const RATIO_BATCHES = 4

/** Every term's gradient relative to the ground truth's, averaged over a few batches, and the resulting lambda. */
export async function compareGradients(
  student: Detector,
  distillation: ExtraLoss,
  samples: readonly Sample[],
  options: TrainOptions,
  terms: readonly Term[],
): Promise<NonNullable<Metrics['gradients']>> {
  const { assign, loss } = options
  const loader = createLoader(samples, loaderOptions(student.config.input, options))
  const sums = terms.map(() => ({ groundTruth: 0, distillation: 0, cosine: 0 }))
  try {
    for (let step = 0; step < RATIO_BATCHES; step++) {
      const { images, strong: stronger, shape, truths } = await loader.batchAt(step % loader.stepsPerEpoch)
      const targets = assignTargets(truths, { ...student.config, input: [shape[1], shape[2]] }, assign)
      terms.forEach((_, i) => {
        const norms: GradientNorms = scoped(() => {
          const plain = unitPixels(pixelTensor(images, shape))
          const pixels = stronger ? unitPixels(pixelTensor(stronger, shape)) : plain
          const truth = targetTensors(targets)
          const weights = tf.tensor1d(terms.map((_, j) => (i === j ? 1 : 0)))
          return gradientNorms(() => {
            const output = student.forward(pixels, { training: true, updateStatistics: false })
            return {
              get groundTruth() {
                return yoloLoss(output.outputs, truth, student.config, loss).total
              },
              get distillation() {
                return distillation.loss(output, plain, weights).total
              },
            }
          }, [...student.trained.values()])
        })
        sums[i]!.groundTruth += norms.groundTruth / RATIO_BATCHES
        sums[i]!.distillation += norms.distillation / RATIO_BATCHES
        sums[i]!.cosine += norms.cosine / RATIO_BATCHES
      })
    }
  } finally {
    await loader.close()
  }
  return terms.map(({ method, weight }, i) => {
    const { groundTruth, distillation: unit, cosine } = sums[i]!
    const lambda =
      typeof weight === 'number' ? weight : lambdaForRatio(weight.ratio, { groundTruth, distillation: unit })
    const unitRatio = unit / groundTruth
    return {
      method,
      unitRatio,
      ratio: lambda * unitRatio,
      lambda,
      cosine: Number.isNaN(cosine) ? null : cosine,
    }
  })
}
