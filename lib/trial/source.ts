import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type Dataset,
  FORMATS,
  fillsLine,
  flaggedBoxes,
  generateScenes,
  openDataset,
  scenesSchema,
  writeDataset,
} from '../data'

/** How to read a user's folder; everything not given is detected. */
export const readingSchema = z
  .object({
    format: z.enum(FORMATS).optional(),
    annotations: z.string().optional(),
    images: z.string().optional(),
    /** Names in the order of their numbers. */
    classes: z.array(z.string()).optional(),
    vocPixels: z.enum(['corners', 'inclusive']).optional(),
    outside: z.boolean().optional(),
  })
  .strict()
/** How a user's folder is read. */
export type DataReading = z.infer<typeof readingSchema>

/** Source of a data set: rendered, or a user's folder. */
export const sourceSchema = z.union([
  z.object({ scenes: scenesSchema }).strict(),
  readingSchema.extend({ directory: z.string() }).strict(),
])
/** Where a trial's data come from. */
export type DataSource = z.infer<typeof sourceSchema>

/** Opens a data set; renders scenes into `cache` the first time. */
export async function openSource(
  source: DataSource,
  cache: string,
  options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<Dataset> {
  if ('scenes' in source) return generateScenes(join(cache, 'data'), source.scenes, options)
  const { directory, ...reading } = source
  return openDataset(directory, { ...reading, cache: join(cache, 'scans') })
}

/**
 * Writes the splits of a user's data set as used, one file each, into `out`/splits-(the data's hash), because nothing
 * else says which images were carved out for validation. `--data` with `--outside` opens that folder too, since the
 * images stay where they are. Scenes already have such files.
 */
export async function recordSplits(dataset: Dataset, out: string): Promise<void> {
  const folder = join(out, `splits-${dataset.hash.slice(0, 12)}`)
  if (existsSync(folder)) return
  try {
    const fitsList = dataset.classes.every(fillsLine) && flaggedBoxes(dataset, 'list') === 0
    await writeDataset(dataset, fitsList ? 'list' : 'coco', folder)
  } catch (error) {
    // Another notebook of the same study was faster.
    if (!existsSync(folder)) throw error
  }
}
