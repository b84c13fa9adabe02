/** How many trials run side by side. */
import { availableParallelism, freemem } from 'node:os'
import { deviceInfo } from '../engine'
import type { Profile } from './profile'

/**
 * Memory of a trial's process in bytes: what Node, TensorFlow and its libraries take, the decoded frames that a loader keeps
 * (512 MiB), and the activations of a distillation step, which grow with batch, pixels and width. So the smoke profile comes to
 * 1.2 GB and the default one to 1.6, of whose trials the largest peaks (`peakBytes` of metrics.json) were 0.7 and 1.5 GB.
 */
const PROCESS_BYTES = 650e6 + 512 * 2 ** 20
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
