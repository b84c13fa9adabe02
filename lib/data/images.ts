import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import type { RgbImage } from './types'

/**
 * Decodes an image file (JPEG, PNG, WebP, ...) to RGB. Grey becomes three equal channels and transparency is
 * dropped; an orientation tag is not applied, since boxes are in stored pixels.
 * @throws Error naming the file when it is missing or cannot be decoded to the end.
 */
export async function readImage(file: string): Promise<RgbImage> {
  try {
    const { data, info } = await sharp(await readFile(file), { failOn: 'truncated' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`expected 3 channels, found ${info.channels}`)
    return { width: info.width, height: info.height, pixels: data }
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

/** Width and height in pixels from an image file's header, without decoding it. */
export async function readImageSize(file: string): Promise<{ width: number; height: number }> {
  try {
    const { width, height } = await sharp(file).metadata()
    return { width, height }
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function unreadable(file: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Error(`${file}: expected a readable image, found: ${reason}`, { cause })
}

/** Encodes an image as PNG, lossless, at zlib's fastest level. */
export async function encodePng({ width, height, pixels }: RgbImage): Promise<Buffer> {
  if (pixels.length !== 3 * width * height) {
    throw new RangeError(
      `encodePng: expected ${3 * width * height} bytes for ${width}x${height} RGB, found ${pixels.length}`,
    )
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1, adaptiveFiltering: false })
    .toBuffer()
}
