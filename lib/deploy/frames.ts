/** Frames of a data set as a file takes them. */
import { type Crop, createLoader, type Sample } from '../data'
import type { NamedTensor } from '../train'
import type { Metadata } from './metadata'

/**
 * The first `n` images [n, h, w, 3] in 0..1, over again where there are fewer; rounded to whole bytes where the file takes bytes.
 *
 * @throws Error where there is none
 */
export async function framesOf(
  samples: readonly Sample[],
  { input, pixels }: Pick<Metadata, 'input' | 'pixels'>,
  n: number,
  crop?: Crop,
): Promise<NamedTensor> {
  if (samples.length === 0) throw new Error('expected frames to run a file on, found none')
  const chosen = Array.from({ length: n }, (_, i) => samples[i % samples.length]!)
  const loader = createLoader(chosen, { input: [...input], batch: n, crop: crop && [...crop] })
  try {
    const { images, shape } = await loader.batchAt(0)
    return {
      shape,
      values: pixels === 'uint8' ? images.map((value) => Math.round(value * 255) / 255) : images,
    }
  } finally {
    await loader.close()
  }
}
