/** Number of trials to run side by side. */
import { availableParallelism, freemem } from 'node:os'
import { complexity, type NetworkSpec, shapesOf } from '../detector'
import { deviceInfo } from '../engine'
import type { Profile } from './profile'

/**
 * Memory of a trial's process in bytes: Node, TensorFlow and its libraries, a loader's decoded frames (512 MiB), and the
 * activations of a distillation step, which grow with batch, pixels and width. This gives 1.2 GB for the smoke profile and
 * 1.6 GB for the default one; the largest measured peaks (`peakBytes` of metrics.json) were 0.7 and 1.5 GB.
 */
const PROCESS_BYTES = 650e6 + 512 * 2 ** 20
const BYTES_PER_PIXEL = 4000

/** Of the published teacher, whose layers give 200 values a pixel: what one of them takes, forward and backward. */
const BYTES_PER_VALUE = BYTES_PER_PIXEL / 200

/**
 * Memory that a trial of a profile needs, in bytes; an upper estimate.
 *
 * @param networks the networks that are trained, where they are not the profile's own: with them count the values of all layers, and the
 *   parameters with their gradients, momentum and copies
 */
export function trialMemory(
  { detector: { input, width }, recipe: { batch } }: Profile,
  networks: readonly NetworkSpec[] = [],
): number {
  if (networks.length === 0) return PROCESS_BYTES + BYTES_PER_PIXEL * batch * input[0] * input[1] * width
  const numbers = networks.map((network) => {
    const maps = [...shapesOf(network).values()]
    const values = maps.reduce((sum, { height, width: w, channels }) => sum + height * w * channels, 0)
    return batch * values + complexity(network).parameters
  })
  return PROCESS_BYTES + BYTES_PER_VALUE * Math.max(...numbers)
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
export function workersOf(
  profile: Profile,
  machine: Machine = thisMachine(),
  networks: readonly NetworkSpec[] = [],
): number {
  if (profile.workers !== 'auto') return profile.workers
  if (machine.device === 'GPU') return 1
  return Math.max(1, Math.min(machine.cores, Math.floor(machine.free / trialMemory(profile, networks))))
}

export function thisMachine(): Machine {
  // The system's free memory does not include a container's limit.
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY
  return { device: deviceInfo().device, cores: availableParallelism(), free: Math.min(freemem(), limit) }
}
