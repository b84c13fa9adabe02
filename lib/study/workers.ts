/** How many trials run side by side. */
import { availableParallelism, freemem } from 'node:os'
import { deviceInfo } from '../engine'
import type { Profile } from './profile'

/**
 * Memory of a trial's process in bytes: what Node, TensorFlow and its libraries take, and the activations of a training step,
 * which grow with batch, pixels and width. Both numbers are those of distillation steps of the shipped and of the published
 * teacher, rounded up (`npm run bench`, the part about memory).
 */
const PROCESS_BYTES = 450e6
const BYTES_PER_PIXEL = 4000

/** Memory that a trial of a profile needs, in bytes; an estimate from above. */
export function trialMemory({ detector: { input, width }, recipe: { batch } }: Profile): number {
  return PROCESS_BYTES + BYTES_PER_PIXEL * batch * input[0] * input[1] * width
}

/** What of a machine decides how many trials run side by side. */
export interface Machine {
  readonly device: 'CPU' | 'GPU'
  readonly cores: number
  /** Memory that is free, in bytes. */
  readonly free: number
}

/**
 * Trials that run side by side: the profile's number, or one a core, as many as the memory holds and one at least. A card is
 * not shared.
 */
export function workersOf(profile: Profile, machine: Machine = thisMachine()): number {
  if (profile.workers !== 'auto') return profile.workers
  if (machine.device === 'GPU') return 1
  return Math.max(1, Math.min(machine.cores, Math.floor(machine.free / trialMemory(profile))))
}

function thisMachine(): Machine {
  // A container's limit is not in what the system calls free.
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY
  return { device: deviceInfo().device, cores: availableParallelism(), free: Math.min(freemem(), limit) }
}
