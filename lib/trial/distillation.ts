import type { Detector } from '../detector'
import { tf } from '../engine'
import { connect, createVariables, distillationLoss } from '../losses'
import type { ExtraLoss } from '../train'
import type { Teacher } from './ensemble'
import type { Term } from './recipe'

/** A distillation loss and what it owns; dispose of it when done. */
export interface Distillation extends ExtraLoss {
  dispose(): void
}

/**
 * The distillation loss for the training step: teacher frozen, in inference mode, methods with their variables.
 * @throws Error when a method cannot compare these two networks: see `connect`
 */
export function createDistillation(
  student: Detector,
  teacher: Teacher,
  terms: readonly Term[],
  seed: number,
): Distillation {
  const methods = terms.map(({ weight: _, ...term }) => term)
  const connections = methods.map((term) => connect(term, student.network, teacher.network))
  const all = new Map<string, tf.Variable>()
  const variables = Object.fromEntries(
    methods.map(({ method }, i) => {
      const { widths } = connections[i]!
      const [own, other] = [{ featureWidths: widths.student }, { featureWidths: widths.teacher }]
      const initial = createVariables([method], own, other, seed)[method] ?? new Map()
      const kept = new Map<string, tf.Variable>()
      for (const [name, value] of initial) {
        const variable = tf.variable(value)
        value.dispose()
        kept.set(name, variable)
        all.set(`${method}/${name}`, variable)
      }
      return [method, kept]
    }),
  )
  return {
    weights: terms.length,
    variables: all,
    loss: (output, images, weights) => {
      const target = teacher.forward(images, { training: false })
      const scalars = terms.map((_, i) => tf.slice(weights, i, 1).asScalar())
      const options = { methods, weights: scalars, variables, connections }
      return distillationLoss(output, target, student.config, options)
    },
    dispose: () => {
      for (const variable of all.values()) variable.dispose()
    },
  }
}
