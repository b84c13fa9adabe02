import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readImage } from './images'
import { cropRegion, type Region } from './transform'
import type { RgbImage, Sample } from './types'

/** A sample whose pixels may be at hand already, so that no file is read. */
export type LoadableSample = Sample & { readonly image?: RgbImage }

export type Crop = readonly [number, number, number, number]

const EMPTY = 0
const CLAIMED = 1
const READY = 2
/** Places in the memory are counted in blocks, so that 32 bits address more than any machine has. */
const BLOCK = 64

/** The decoded frames of a data set as all threads of a loader see them: plain data over shared memory. */
export interface SharedFrames {
  readonly samples: readonly Sample[]
  /** Cropped pixels of samples that came with their image. */
  readonly given: readonly (RgbImage | undefined)[]
  readonly crop: Crop | undefined
  readonly diskCache: string | undefined
  /** [samples * 2]: state, first block. */
  readonly slots: Int32Array
  /** [1]: next free block. */
  readonly cursor: Int32Array
  readonly memory: Uint8Array
}

/**
 * Shared memory for up to `cacheBytes` of decoded frames (never more than the set needs; pages are touched
 * only when filled). Frames stay once they are in: under random order nothing else does better.
 */
export function shareFrames(
  samples: readonly LoadableSample[],
  options: { crop?: Crop; cacheBytes: number; diskCache?: string; workers: number },
): SharedFrames {
  const given = samples.map(({ image }) => {
    const frame = image && cropImage(image, options.crop)
    return frame && options.workers > 0 ? share(frame) : frame
  })
  let needed = 0
  samples.forEach((sample, i) => {
    if (given[i] === undefined) needed += blocks(frameRegion(sample, options.crop)) * BLOCK
  })
  return {
    samples: samples.map(({ id, file, width, height, boxes }) => ({ id, file, width, height, boxes })),
    given,
    crop: options.crop,
    diskCache: options.diskCache,
    slots: new Int32Array(new SharedArrayBuffer(samples.length * 8)),
    cursor: new Int32Array(new SharedArrayBuffer(4)),
    memory: new Uint8Array(
      new SharedArrayBuffer(Math.floor(Math.min(options.cacheBytes, needed) / BLOCK) * BLOCK),
    ),
  }
}

/**
 * The cropped frame of a sample: given, from memory, from the disk cache, or decoded.
 * @throws Error naming the file when it cannot be read or has another size than the sample says.
 */
export async function readFrame(frames: SharedFrames, index: number): Promise<RgbImage> {
  const given = frames.given[index]
  if (given !== undefined) return given
  const sample = frames.samples[index]!
  const region = frameRegion(sample, frames.crop)
  const [width, height] = [region.x2 - region.x1, region.y2 - region.y1]
  const bytes = width * height * 3
  if (Atomics.load(frames.slots, index * 2) === READY) {
    const start = frames.slots[index * 2 + 1]! * BLOCK
    return { width, height, pixels: frames.memory.subarray(start, start + bytes) }
  }
  const frame = await throughDisk(frames, sample, region)
  keep(frames, index, frame.pixels)
  return frame
}

/** The part of a sample's image that a loader with this crop sees. */
export function frameRegion(sample: Sample, crop: Crop | undefined): Region {
  return cropRegion(sample.width, sample.height, crop)
}

/** Bytes of decoded frames in memory, those that were given left out. */
export function cachedBytes(frames: SharedFrames): number {
  return Math.min(Atomics.load(frames.cursor, 0) * BLOCK, frames.memory.length)
}

function keep(frames: SharedFrames, index: number, pixels: Uint8Array): void {
  const count = Math.ceil(pixels.length / BLOCK)
  if ((Atomics.load(frames.cursor, 0) + count) * BLOCK > frames.memory.length) return
  if (Atomics.compareExchange(frames.slots, index * 2, EMPTY, CLAIMED) !== EMPTY) return
  const start = Atomics.add(frames.cursor, 0, count)
  // Another thread may have taken the last room in between: this frame then stays claimed and uncached.
  if ((start + count) * BLOCK > frames.memory.length) return
  frames.memory.set(pixels, start * BLOCK)
  frames.slots[index * 2 + 1] = start
  Atomics.store(frames.slots, index * 2, READY)
}

async function throughDisk(frames: SharedFrames, sample: Sample, region: Region): Promise<RgbImage> {
  if (frames.diskCache === undefined) return decode(sample, frames.crop)
  const [width, height] = [region.x2 - region.x1, region.y2 - region.y1]
  const { size, mtimeMs } = await stat(sample.file).catch((cause) => {
    throw new Error(`${sample.file}: expected an image file, found: ${cause.message}`, { cause })
  })
  const key = JSON.stringify([sample.file, size, mtimeMs, region])
  const path = join(frames.diskCache, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.rgb`)
  const cached = await readFile(path).catch(() => undefined)
  if (cached?.length === width * height * 3) return { width, height, pixels: cached }
  const frame = await decode(sample, frames.crop)
  await mkdir(frames.diskCache, { recursive: true })
  const temporary = `${path}.${randomUUID()}`
  await writeFile(temporary, frame.pixels)
  await rename(temporary, path)
  return frame
}

async function decode(sample: Sample, crop: Crop | undefined): Promise<RgbImage> {
  const image = await readImage(sample.file)
  if (image.width !== sample.width || image.height !== sample.height)
    throw new Error(
      `${sample.file}: expected ${sample.width}x${sample.height} pixels as its sample says, ` +
        `found ${image.width}x${image.height}; correct the annotation`,
    )
  return cropImage(image, crop)
}

function cropImage(image: RgbImage, crop: Crop | undefined): RgbImage {
  const region = cropRegion(image.width, image.height, crop)
  const [width, height] = [region.x2 - region.x1, region.y2 - region.y1]
  if (width === image.width && height === image.height) return image
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const start = ((region.y1 + y) * image.width + region.x1) * 3
    pixels.set(image.pixels.subarray(start, start + width * 3), y * width * 3)
  }
  return { width, height, pixels }
}

function share(image: RgbImage): RgbImage {
  if (image.pixels.buffer instanceof SharedArrayBuffer) return image
  const pixels = new Uint8Array(new SharedArrayBuffer(image.pixels.length))
  pixels.set(image.pixels)
  return { ...image, pixels }
}

function blocks(region: Region): number {
  return Math.ceil(((region.x2 - region.x1) * (region.y2 - region.y1) * 3) / BLOCK)
}
