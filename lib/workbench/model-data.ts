/** The images that a model is exported, proved and timed on: a profile's, or the user's. */
import path from 'node:path'
import type { Crop, Dataset } from '../data'
import { openSource } from '../trial'
import { type DataOptions, readingOf } from './data-options'
import { type ProgressBar, showProgress } from './progress'
import { root } from './project'

export interface ModelDataOptions extends DataOptions {
  readonly profile: string
  readonly data?: string
}

export const CACHE = path.join(root, '.cache')

/**
 * Opens the images.
 *
 * @param few scenes are rendered for these splits alone, where a handful of frames does
 */
export async function openModelData(
  options: ModelDataOptions,
  signal: AbortSignal,
  few = false,
): Promise<{ readonly dataset: Dataset; readonly crop?: Crop }> {
  const { loadProfile } = require('../study') as typeof import('../study')
  const profile = loadProfile(options.profile)
  const reading = await readingOf(options)
  const { data } = options
  let bar: ProgressBar | undefined
  const onProgress = (done: number, total: number) => {
    bar ??= showProgress('rendering the scenes', total)
    void bar.update(done)
  }
  try {
    if (data !== undefined) {
      const dataset = await openSource({ directory: path.resolve(data), ...reading }, CACHE, { signal })
      return { dataset, crop: profile.crop }
    }
    const splits = few ? { train: 4, validation: 4, test: 4 } : profile.data.splits
    const dataset = await openSource({ scenes: { ...profile.data, splits } }, CACHE, { onProgress, signal })
    return { dataset }
  } finally {
    bar?.done()
  }
}
