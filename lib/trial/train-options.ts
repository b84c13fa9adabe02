/** What a trial's training is told. */
import { type DeviceInfo, deviceInfo, type Precision } from '../engine'
import type { RateSchedule, TrainOptions } from '../train'
import type { TrialConfig } from './config'
import type { Recipe } from './recipe'

/**
 * The options of a training.
 * @param images how many are trained on
 */
export function trainOptions(
  { steps, rate, seed, recipe }: Training,
  images: number,
  { checkpointEvery, logEvery, curve }: Pick<TrainOptions, 'checkpointEvery' | 'logEvery' | 'curve'>,
  { data }: TrialConfig,
): TrainOptions {
  const epochs = Math.max(1, Math.ceil(steps / Math.floor(images / recipe.batch)))
  return {
    ...recipe,
    ...{ steps, seed, checkpointEvery, logEvery, curve },
    crop: data.crop,
    schedule: rateSchedule(recipe.schedule, rate, epochs),
    eager: false,
    workers: loaderThreads(deviceInfo()),
  }
}

interface Training {
  readonly steps: number
  readonly rate: number
  readonly seed: number
  readonly recipe: Recipe & { readonly precision: Precision }
}

function rateSchedule(schedule: Recipe['schedule'], rate: number, epochs: number): RateSchedule {
  if (schedule === 'cosine') return { kind: 'cosine', rate, final: 0.01 }
  if (schedule === 'poly') return { kind: 'poly', rate, floor: 1e-6, power: 0.9, epochs }
  return { final: 0.01, ...schedule, rate }
}

/**
 * On a CPU one thread prepares batches as fast as training uses them, and more would take its cores; a card is many times
 * as fast. The number of threads does not change the batches.
 */
function loaderThreads({ device, cores }: Pick<DeviceInfo, 'device' | 'cores'>): number {
  return device === 'GPU' ? Math.min(8, Math.max(1, cores - 1)) : 1
}
