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
