import { mkdirSync, utimesSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isMissing, TEMPORARY } from './sealed'
import { type ViewCache, viewBytes, writeView } from './view-cache'

/** Views that may wait for the disk; more are not kept. */
const MOST_WAITING = 512
/** Share of the limit that is written before the folder is measured again: other processes write too. */
const SHARE = 1 / 16
/** A temporary file so old is what a killed process left. */
const ABANDONED_MS = 3_600_000

/**
 * Keeps views' numbers on disk while a training goes on, in a folder of collections (one a `ViewCache`) that processes share
 * and that stays under a limit. Where it is full, the collections that were not opened for longest are removed; where
 * only the own one is left, nothing more is kept.
 */
export class ViewWriter {
  private readonly waiting = new Set<Promise<void>>()
  /** Bytes that may be written before the folder is measured again. */
  private room = 0
  private full = false
  private measuring: Promise<void> | undefined
  private failure: Error | undefined

  /**
   * @param cache its folder's parent holds all collections
   * @param limit bytes of all collections
   */
  constructor(
    private readonly cache: ViewCache,
    private readonly limit: number,
  ) {
    mkdirSync(cache.folder, { recursive: true })
    const now = new Date()
    utimesSync(cache.folder, now, now)
  }

  /**
   * Begins to write a view's numbers; `flush` waits for them.
   * @throws Error when an earlier write failed
   */
  keep(name: string, values: Float32Array): void {
    if (this.failure) throw this.failure
    if (this.full || this.waiting.size >= MOST_WAITING) return
    const work = this.write(name, values)
      .catch((cause: Error) => {
        this.failure ??= new Error(
          `${this.cache.folder}: expected to keep the teacher's outputs here, found: ${cause.message}; mend it, or ` +
            'take teacherCache out of the profile',
          { cause },
        )
      })
      .finally(() => this.waiting.delete(work))
    this.waiting.add(work)
  }

  /**
   * Waits until everything is on disk.
   * @throws Error when a write failed
   */
  async flush(): Promise<void> {
    await Promise.all(this.waiting)
    if (this.failure) throw this.failure
  }

  private async write(name: string, values: Float32Array): Promise<void> {
    const bytes = viewBytes(values.length)
    while (this.room < bytes) {
      if (this.full) return
      this.measuring ??= this.measure(bytes).finally(() => {
        this.measuring = undefined
      })
      await this.measuring
    }
    this.room -= bytes
    await writeView(this.cache.folder, name, values)
  }

  /** Finds out how much may still be written, and makes room for at least `bytes` where that can be had. */
  private async measure(bytes: number): Promise<void> {
    const root = dirname(this.cache.folder)
    const collections = await Promise.all(
      (await readdir(root)).map((name) => measureFolder(join(root, name))),
    )
    const others = collections
      .filter(({ folder }) => basename(folder) !== basename(this.cache.folder))
      .sort((a, b) => b.opened - a.opened)
    let left = this.limit - collections.reduce((sum, collection) => sum + collection.bytes, 0)
    while (left < bytes && others.length > 0) {
      const oldest = others.pop()!
      await rm(oldest.folder, { recursive: true, force: true })
      left += oldest.bytes
    }
    this.full = left < bytes
    this.room = Math.min(left, Math.max(bytes, SHARE * this.limit))
  }
}

/** A collection's size, and when it was last opened, ms; what another process removes meanwhile counts as nothing. */
async function measureFolder(folder: string): Promise<{ folder: string; bytes: number; opened: number }> {
  const names = await readdir(folder).catch(nothingIfMissing)
  const sizes = (names ?? []).map(async (name) => {
    const file = join(folder, name)
    const found = await stat(file).catch(nothingIfMissing)
    if (!found) return 0
    if (!name.endsWith(TEMPORARY) || Date.now() - found.mtimeMs < ABANDONED_MS) return found.size
    await rm(file, { force: true })
    return 0
  })
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  const opened = (await stat(folder).catch(nothingIfMissing))?.mtimeMs ?? 0
  return { folder, bytes, opened }
}

function nothingIfMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}
