import { Random } from '../base'
import type { Detector } from '../detector'
import { tf } from '../engine'
import { createAdapters, distillationLoss } from '../losses'
import type { ExtraLoss } from '../train'
import type { Term } from './recipe'

/** A distillation loss with what it owns; dispose it when done. */
export interface Distillation extends ExtraLoss {
  dispose(): void
}

/** The distillation loss as the training step takes it: teacher frozen, in inference mode, adapters where widths differ. */
export function createDistillation(
  student: Detector,
  teacher: Detector,
  terms: readonly Term[],
  seed: number,
): Distillation {
  const variables = new Map<string, tf.Variable>()
  let adapters: (tf.Variable | undefined)[] = []
  if (terms.some((term) => term.method === 'feature-mse')) {
    const initial = createAdapters(student.config.neck, teacher.config.neck, new Random('adapters', seed))
    adapters = initial.map((kernel, i) => {
      if (!kernel) return undefined
      const variable = tf.variable(kernel)
      kernel.dispose()
      variables.set(`adapter${i + 1}/kernel`, variable)
      return variable
    })
  }
  return {
    weights: terms.length,
    variables,
    loss: (output, images, weights) => {
      const target = teacher.forward(images, { training: false })
      const methods = terms.map(({ weight: _, ...term }) => ({
        ...term,
        adapters: adapters as (tf.Tensor4D | undefined)[],
      }))
      const scalars = terms.map((_, i) => tf.slice(weights, i, 1).asScalar())
      return distillationLoss(output, target, student.config, { methods, weights: scalars })
    },
    dispose: () => {
      for (const variable of variables.values()) variable.dispose()
    },
  }
}
