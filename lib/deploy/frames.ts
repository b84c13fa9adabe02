/** Frames of a data set as a file takes them. */
import { type Crop, createLoader, type Sample, unitValues } from '../data'
import type { NamedTensor } from '../train'
import type { Metadata } from './metadata'

/**
 * The first `n` images [n, h, w, 3] in 0..1, over again where there are fewer.
 *
 * @throws Error where there is none
 */
export async function framesOf(
  samples: readonly Sample[],
  { input }: Pick<Metadata, 'input'>,
  n: number,
  crop?: Crop,
): Promise<NamedTensor> {
  if (samples.length === 0) throw new Error('expected frames to run a file on, found none')
  const chosen = Array.from({ length: n }, (_, i) => samples[i % samples.length]!)
  const loader = createLoader(chosen, { input: [...input], batch: n, crop: crop && [...crop] })
  try {
    const { images, shape } = await loader.batchAt(0)
    return { shape, values: unitValues(images) }
  } finally {
    await loader.close()
  }
}
