import { z } from 'zod'
import { tf } from '../engine'

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

/** L2 norm of all gradients together. */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  return tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient))))) as tf.Scalar
}

/**
 * One step of SGD in place: g <- g * min(1, clip / |g|) + decay * w; v <- momentum * v + g; w <- w - rate * v
 * (PyTorch's form, with the rate outside the momentum).
 *
 * @param gradients in the order of the slots
 * @returns |g| before clipping
 */
export function sgdStep(
  slots: readonly Slot[],
  gradients: readonly tf.Tensor[],
  rate: tf.Scalar,
  { momentum, weightDecay, clip }: SgdOptions,
): tf.Scalar {
  const norm = globalNorm(gradients)
  const scale = tf.div(clip, tf.maximum(norm, clip))
  slots.forEach((slot, i) => {
    const clipped = tf.mul(gradients[i]!, scale)
    const gradient = slot.decayed ? tf.add(clipped, tf.mul(slot.variable, weightDecay)) : clipped
    slot.momentum.assign(tf.add(tf.mul(slot.momentum, momentum), gradient))
    slot.variable.assign(tf.sub(slot.variable, tf.mul(slot.momentum, rate)))
  })
  return norm
}
