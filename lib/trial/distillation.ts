import type { Detector } from '../detector'
import { tf } from '../engine'
import { createVariables, distillationLoss, type MethodVariables } from '../losses'
import type { ExtraLoss } from '../train'
import type { Teacher } from './ensemble'
import type { Term } from './recipe'

/** A distillation loss and what it owns; dispose of it when done. */
export interface Distillation extends ExtraLoss {
  dispose(): void
}

/** The distillation loss for the training step: teacher frozen, in inference mode, methods with their variables. */
export function createDistillation(
  student: Detector,
  teacher: Teacher,
  terms: readonly Term[],
  seed: number,
): Distillation {
  const methods = terms.map(({ weight: _, ...term }) => term)
  const names = methods.map(({ method }) => method)
  const initial = createVariables(names, student.config, teacher.config, seed)
  const all = new Map<string, tf.Variable>()
  const variables: MethodVariables = Object.fromEntries(
    Object.entries(initial).map(([method, values]) => {
      const own = new Map<string, tf.Variable>()
      for (const [name, value] of values) {
        const variable = tf.variable(value)
        value.dispose()
        own.set(name, variable)
        all.set(`${method}/${name}`, variable)
      }
      return [method, own]
    }),
  )
  return {
    weights: terms.length,
    variables: all,
    loss: (output, images, weights) => {
      const target = teacher.forward(images, { training: false })
      const scalars = terms.map((_, i) => tf.slice(weights, i, 1).asScalar())
      return distillationLoss(output, target, student.config, { methods, weights: scalars, variables })
    },
    dispose: () => {
      for (const variable of all.values()) variable.dispose()
    },
  }
}
