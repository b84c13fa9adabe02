import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { mapLimited, sha256, writeAtomically } from '../base'
import { type ImageHeader, readImageSize } from './images'

/** What can be known about an image file without decoding it. */
export interface ImageFacts extends ImageHeader {
  /** SHA-256 of the file's bytes. */
  readonly digest: string
}

const factsSchema = z.object({
  width: z.number(),
  height: z.number(),
  orientation: z.number().optional(),
  digest: z.string(),
})
const cacheSchema = z.record(factsSchema.extend({ bytes: z.number(), changed: z.number() }))

/**
 * Sizes and digests of image files, from their headers and bytes. With a cache folder, files with unchanged length
 * and modification time are not read again.
 * @returns the facts of each file, or the error from reading it
 */
export async function scanImages(
  files: readonly string[],
  options: { cache?: string; key: string },
): Promise<(ImageFacts | Error)[]> {
  const path = options.cache && join(options.cache, `scan2-${sha256(options.key).slice(0, 16)}.json`)
  const known = path ? await readCache(path) : {}
  const fresh: z.infer<typeof cacheSchema> = {}
  let changed = false
  const results = await mapLimited(files, 8, async (file): Promise<ImageFacts | Error> => {
    try {
      const { size: bytes, mtimeMs } = await stat(file)
      const old = known[file]
      if (old && old.bytes === bytes && old.changed === mtimeMs) {
        fresh[file] = old
        const { bytes: _, changed: __, ...facts } = old
        return facts
      }
      const facts = { ...(await readImageSize(file)), digest: sha256(await readFile(file)) }
      fresh[file] = { ...facts, bytes, changed: mtimeMs }
      changed = true
      return facts
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  })
  if (path && changed) writeAtomically(path, JSON.stringify(fresh))
  return results
}

/** An unreadable cache counts as empty: all its content can be computed again. */
async function readCache(path: string): Promise<z.infer<typeof cacheSchema>> {
  try {
    return cacheSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return {}
  }
}
