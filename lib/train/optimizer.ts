import { z } from 'zod'
import { assignJoined, joined, l2Loss, tf } from '../engine'

/** Stochastic gradient descent with momentum; defaults are the published run's. */
export const sgdSchema = z
  .object({
    momentum: z.number().min(0).max(1).default(0.9),
    /** L2 decay, applied to convolution kernels and adapters only. */
    weightDecay: z.number().min(0).default(5e-4),
    /** Largest L2 norm of all gradients together; larger ones are scaled down. */
    clip: z.number().positive().default(35),
  })
  .strict()

/** Momentum, weight decay and clipping of SGD. */
export type SgdOptions = z.infer<typeof sgdSchema>

/** A trained variable with its momentum. */
export interface Slot {
  readonly name: string
  readonly variable: tf.Variable
  readonly momentum: tf.Variable
  readonly decayed: boolean
}

/** Zero momentum for every variable; kernels decay, biases and batch-norm parameters do not. */
export function createSlots(variables: ReadonlyMap<string, tf.Variable>): Slot[] {
  return [...variables].map(([name, variable]) => ({
    name,
    variable,
    momentum: tf.tidy(() => tf.variable(tf.zeros(variable.shape), false)),
    decayed: name.endsWith('kernel'),
  }))
}

/** Slots in groups that a step treats alike: those that decay, and the others. As a group of the graph's state each is a vector. */
export function slotGroups(slots: readonly Slot[]): Slot[][] {
  return [slots.filter(({ decayed }) => decayed), slots.filter(({ decayed }) => !decayed)].filter(
    ({ length }) => length > 0,
  )
}

/** L2 norm of all gradients together. */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  const halves = gradients.map((gradient) => l2Loss(gradient))
  return tf.sqrt(tf.mul<tf.Scalar>(tf.addN(halves), 2))
}

/**
 * One step of SGD in place: g <- g * min(1, clip / |g|) + decay * w; v <- momentum * v + g; w <- w - rate * v
 * (PyTorch's form, with the rate outside the momentum).
 *
 * @param groups from `slotGroups`
 * @param gradients of each group as a vector
 * @returns |g| before clipping
 */
export function sgdStep(
  groups: readonly (readonly Slot[])[],
  gradients: readonly tf.Tensor1D[],
  rate: tf.Scalar,
  { momentum, weightDecay, clip }: SgdOptions,
): tf.Scalar {
  const norm = globalNorm(gradients)
  const scale = tf.div(clip, tf.maximum(norm, clip))
  groups.forEach((slots, i) => {
    const [variables, momenta] = [slots.map(({ variable }) => variable), slots.map((slot) => slot.momentum)]
    const weights = joined(variables)
    const clipped = tf.mul(gradients[i]!, scale)
    const gradient = slots[0]!.decayed ? tf.add(clipped, tf.mul(weights, weightDecay)) : clipped
    const velocity = tf.add(tf.mul(joined(momenta), momentum), gradient)
    assignJoined(momenta, velocity)
    assignJoined(variables, tf.sub(weights, tf.mul(velocity, rate)))
  })
  return norm
}
