import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { DamagedError, mapLimited, readSealed, sha256, warn, writeSealed } from '../base'
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
const knownSchema = z.record(factsSchema.extend({ bytes: z.number(), changed: z.number() }))
type Known = z.infer<typeof knownSchema>
const cacheSchema = z.object({ images: knownSchema }).strict()

/**
 * Sizes and digests of image files, from their headers and bytes. With a cache folder, files with unchanged length
 * and modification time are not read again.
 * @returns the facts of each file, or the error from reading it
 */
export async function scanImages(
  files: readonly string[],
  options: { cache?: string; key: string },
): Promise<(ImageFacts | Error)[]> {
  const path = options.cache && join(options.cache, `scan3-${sha256(options.key).slice(0, 16)}.json`)
  const known = path ? readCache(path) : {}
  const fresh: Known = {}
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
  if (path && changed) writeSealed(path, { images: fresh })
  return results
}

/** A damaged cache counts as empty: all its content can be computed again. */
function readCache(path: string): Known {
  if (!existsSync(path)) return {}
  try {
    return readSealed(path, cacheSchema, { advice: 'the images are measured again' }).images
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    warn(error.message)
    return {}
  }
}
