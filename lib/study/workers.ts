/** Number of trials to run side by side. */
import { availableParallelism, freemem } from 'node:os'
import { deviceInfo } from '../engine'
import type { Profile } from './profile'

/**
 * Memory of a trial's process in bytes: Node, TensorFlow and its libraries, a loader's decoded frames (512 MiB), and the
 * activations of a distillation step, which grow with batch, pixels and width. This gives 1.2 GB for the smoke profile and
 * 1.6 GB for the default one; the largest measured peaks (`peakBytes` of metrics.json) were 0.7 and 1.5 GB.
 */
const PROCESS_BYTES = 650e6 + 512 * 2 ** 20
const BYTES_PER_PIXEL = 4000

/** Memory that a trial of a profile needs, in bytes; an upper estimate. */
export function trialMemory({ detector: { input, width }, recipe: { batch } }: Profile): number {
  return PROCESS_BYTES + BYTES_PER_PIXEL * batch * input[0] * input[1] * width
}

/** The properties of a machine that limit how many trials run side by side. */
export interface Machine {
  readonly device: 'CPU' | 'GPU'
  readonly cores: number
  /** Free memory, in bytes. */
  readonly free: number
}

/**
 * Trials to run side by side: the profile's number, or one per core as memory allows, at least one. A graphics card is
 * not shared.
 */
export function workersOf(profile: Profile, machine: Machine = thisMachine()): number {
  if (profile.workers !== 'auto') return profile.workers
  if (machine.device === 'GPU') return 1
  return Math.max(1, Math.min(machine.cores, Math.floor(machine.free / trialMemory(profile))))
}

function thisMachine(): Machine {
  // The system's free memory does not include a container's limit.
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY
  return { device: deviceInfo().device, cores: availableParallelism(), free: Math.min(freemem(), limit) }
}
