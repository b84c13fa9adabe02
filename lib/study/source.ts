import { join } from 'node:path'
import { z } from 'zod'
import { type Dataset, FORMATS, generateScenes, openDataset, scenesSchema } from '../data'

/** Where a data set comes from: rendered, or a folder of the user's. */
export const sourceSchema = z.union([
  z.object({ scenes: scenesSchema }).strict(),
  z.object({ directory: z.string(), format: z.enum(FORMATS).optional() }).strict(),
])
export type DataSource = z.infer<typeof sourceSchema>

/** Opens a data set; scenes are rendered into `cache` the first time. */
export async function openSource(
  source: DataSource,
  cache: string,
  options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<Dataset> {
  if ('scenes' in source) return generateScenes(join(cache, 'data'), source.scenes, options)
  return openDataset(source.directory, { format: source.format, cache: join(cache, 'scans') })
}
