import sharp from 'sharp'
import { expectFile, readWholeLater } from '../base'
import { IMAGE_TYPES } from './image-types'
import type { RgbImage } from './types'

/** Most pixels of an image that is decoded: three bytes each, several images at a time. */
const MOST_PIXELS = 2 ** 28
/** Largest file of an image in bytes. */
const MOST_BYTES = 2 ** 30
/** What the decoder calls the types that are read, by what the file holds and not by its name. */
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'])

/** Size and orientation from an image's header. */
export interface ImageHeader {
  readonly width: number
  readonly height: number
  /** EXIF orientation 2 to 8; absent if the pixels are stored upright. */
  readonly orientation?: number
}

/**
 * Decodes an image file (JPEG, PNG, WebP, ...) to RGB. Grey becomes three equal channels; transparency is dropped.
 *
 * @param options.upright turns the pixels by the file's EXIF orientation; by default they stay as stored
 * @throws Error naming the file when it is missing, cannot be decoded completely, or contains floats
 */
export async function readImage(file: string, options: { upright?: boolean } = {}): Promise<RgbImage> {
  const bytes = await readWholeLater(file, MOST_BYTES).catch((cause) => {
    throw unreadable(file, cause)
  })
  return decodeImage(bytes, file, options)
}

/** The same of a file's bytes; `file` names them in errors. */
export async function decodeImage(
  bytes: Buffer,
  file: string,
  options: { upright?: boolean } = {},
): Promise<RgbImage> {
  try {
    const image = sharp(bytes, { failOn: 'truncated', limitInputPixels: MOST_PIXELS })
    await readableHeader(image)
    const { data, info } = await (options.upright ? image.autoOrient() : image)
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

/** Width and height in pixels as stored, and the orientation, from an image file's header, without decoding. */
export async function readImageSize(file: string): Promise<ImageHeader> {
  try {
    await expectFile(file, MOST_BYTES)
    const image = sharp(file, { limitInputPixels: MOST_PIXELS })
    const { width, height, orientation = 1 } = await readableHeader(image)
    return { width, height, ...(orientation > 1 && orientation <= 8 ? { orientation } : {}) }
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

/** The size of an image turned by its orientation: 5 to 8 swap the sides. */
export function uprightSize({ width, height, orientation = 1 }: ImageHeader): {
  width: number
  height: number
} {
  return orientation >= 5 ? { width: height, height: width } : { width, height }
}

/**
 * The header of an image that may be decoded: of a type that is read (an SVG may name other files), and of a size that fits
 * in memory. Floats have no defined scale: 1 may be white or nearly black.
 */
async function readableHeader(image: sharp.Sharp): Promise<sharp.Metadata> {
  const metadata = await image.metadata()
  const { format, width, height } = metadata
  if (!FORMATS.has(format)) throw new Error(`${format}; convert the image`)
  if (width * height > MOST_PIXELS)
    throw new Error(`${width}x${height} pixels, more than ${MOST_PIXELS}; make the image smaller`)
  if (metadata.depth !== 'uchar' && metadata.depth !== 'ushort')
    throw new Error(`pixels of type ${metadata.depth}, not 8 or 16 bits a channel; convert the image`)
  return metadata
}

/** What to say of an image that cannot be read or decoded. */
export function unreadable(file: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause)
  const reason = message.replace(`${file}: `, '').replace('expected a file, found ', '')
  return new Error(`${file}: expected a readable image (${IMAGE_TYPES}), found: ${reason}`, { cause })
}

/**
 * Encodes an image as PNG, lossless.
 * @param small for pages: at zlib's best level and with filters, in place of its fastest
 */
export async function encodePng(
  { width, height, pixels }: RgbImage,
  { small = false }: { readonly small?: boolean } = {},
): Promise<Buffer> {
  if (pixels.length !== 3 * width * height) {
    throw new RangeError(
      `encodePng: expected ${3 * width * height} bytes for ${width}x${height} RGB, found ${pixels.length}`,
    )
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: small ? 9 : 1, adaptiveFiltering: small })
    .toBuffer()
}
