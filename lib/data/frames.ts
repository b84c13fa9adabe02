import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readCached, sha256, writeCached } from '../base'
import { readSampleImage } from './sample-image'
import { cropRegion, type Region } from './transform'
import type { RgbImage, Sample } from './types'

/** A sample that may come with its pixels, so that no file is read. */
export type LoadableSample = Sample & { readonly image?: RgbImage }

/** Part of an image as fractions of its width and height: [x1, y1, x2, y2]. */
export type Crop = readonly [number, number, number, number]

const EMPTY = 0
const CLAIMED = 1
const READY = 2

/** The place of a decoded frame that has none in memory. */
const NOWHERE = -1

/** The decoded frames of a data set, shared by all threads of a loader: plain data over shared memory. */
export interface SharedFrames {
  readonly samples: readonly Sample[]
  /** Cropped pixels of samples that came with their image. */
  readonly given: readonly (RgbImage | undefined)[]
  readonly crop: Crop | undefined
  readonly diskCache: string | undefined
  /** [samples] first byte in `memory`, or NOWHERE */
  readonly place: Float64Array
  /** [samples] 1 where the disk cache keeps the frame */
  readonly onDisk: Uint8Array
  /** [samples] EMPTY, CLAIMED or READY: the state of that place in memory */
  readonly state: Int32Array
  readonly memory: Uint8Array
}

export interface FrameCacheOptions {
  readonly crop?: Crop
  /** Memory for decoded frames. */
  readonly cacheBytes: number
  /** Folder in which runs on the same data find frames that others have decoded, and its maximum size. */
  readonly diskCache?: string
  readonly diskBytes: number
  readonly workers: number
}

/**
 * Decides where each decoded frame is kept: the first samples in shared memory up to `cacheBytes` (its pages are
 * touched only when filled), and the first ones on disk up to `diskBytes`, also those in memory, which the next run on the same
 * data then need not decode: that takes ten times as long as reading. Frames never move: under random order no other choice does
 * better, and a choice by index alone lets all runs on a data set share one folder.
 */
export function shareFrames(samples: readonly LoadableSample[], options: FrameCacheOptions): SharedFrames {
  const given = samples.map(({ image }) => {
    const frame = image && cropImage(image, options.crop)
    return frame && options.workers > 0 ? share(frame) : frame
  })
  const place = new Float64Array(samples.length).fill(NOWHERE)
  const onDisk = new Uint8Array(samples.length)
  let inMemory = 0
  let stored = 0
  samples.forEach((sample, i) => {
    if (given[i] !== undefined) return
    const bytes = bytesOf(frameRegion(sample, options.crop))
    if (inMemory + bytes <= options.cacheBytes) {
      place[i] = inMemory
      inMemory += bytes
    }
    if (options.diskCache !== undefined && stored + bytes <= options.diskBytes) {
      onDisk[i] = 1
      stored += bytes
    }
  })
  return {
    samples: samples.map(({ id, file, width, height, boxes, orientation, digest }) => ({
      ...{ id, file, width, height, boxes, orientation, digest },
    })),
    given,
    crop: options.crop,
    diskCache: options.diskCache,
    place,
    onDisk,
    state: new Int32Array(new SharedArrayBuffer(samples.length * 4)),
    memory: new Uint8Array(new SharedArrayBuffer(inMemory)),
  }
}

/**
 * The cropped frame of a sample: as given, from memory, from the disk cache, or decoded.
 * @throws Error naming the file when it cannot be read, or its hash or size differs from the sample's.
 */
export async function readFrame(frames: SharedFrames, index: number): Promise<RgbImage> {
  const given = frames.given[index]
  if (given !== undefined) return given
  const sample = frames.samples[index]!
  const region = frameRegion(sample, frames.crop)
  const place = frames.place[index]!
  const load = () =>
    frames.onDisk[index] === 1 ? throughDisk(frames, sample, region) : decode(sample, frames.crop)
  if (place === NOWHERE) return load()
  if (Atomics.load(frames.state, index) === READY) {
    const pixels = frames.memory.subarray(place, place + bytesOf(region))
    return { width: region.x2 - region.x1, height: region.y2 - region.y1, pixels }
  }
  const frame = await load()
  if (Atomics.compareExchange(frames.state, index, EMPTY, CLAIMED) === EMPTY) {
    frames.memory.set(frame.pixels, place)
    Atomics.store(frames.state, index, READY)
  }
  return frame
}

/** The part of a sample's image that a loader with this crop sees. */
export function frameRegion(sample: Sample, crop: Crop | undefined): Region {
  return cropRegion(sample.width, sample.height, crop)
}

/** Bytes of decoded frames in memory, excluding those given by the caller. */
export function cachedBytes(frames: SharedFrames): number {
  return frames.samples.reduce((sum, sample, i) => {
    const ready = Atomics.load(frames.state, i) === READY
    return ready ? sum + bytesOf(frameRegion(sample, frames.crop)) : sum
  }, 0)
}

/** Decodes and writes a damaged cached frame again. */
async function throughDisk(frames: SharedFrames, sample: Sample, region: Region): Promise<RgbImage> {
  const folder = frames.diskCache!
  const [width, height] = [region.x2 - region.x1, region.y2 - region.y1]
  const { size, mtimeMs } = await stat(sample.file).catch((cause) => {
    throw new Error(`${sample.file}: expected an image file, found: ${cause.message}`, { cause })
  })
  const { file, orientation = null, digest = null } = sample
  const key = JSON.stringify([file, size, mtimeMs, region, orientation, digest])
  const path = join(folder, `${sha256(key).slice(0, 32)}.rgb`)
  const cached = await readCached(path)
  if (cached instanceof Buffer && cached.length === bytesOf(region)) return { width, height, pixels: cached }
  const frame = await decode(sample, frames.crop)
  await writeCached(path, frame.pixels)
  return frame
}

async function decode(sample: Sample, crop: Crop | undefined): Promise<RgbImage> {
  const image = await readSampleImage(sample)
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

function bytesOf(region: Region): number {
  return (region.x2 - region.x1) * (region.y2 - region.y1) * 3
}
