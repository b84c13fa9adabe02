/** The one list of image types: what is read, and what is known to be an image and is not. */

/** File names of the images that are read. */
export const IMAGE_NAME = /\.(jpe?g|jpe|jfif|png|webp|gif|tiff?|avif)$/i

/** Images of other types: they are counted and named, never read. */
export const OTHER_IMAGE_NAME =
  /\.(bmp|dib|p[bgpn]m|pfm|hdr|exr|heic|heif|hif|jp2|j2k|jxl|mpo|dng|nef|cr2|arw|tga|ico|svg|psd)$/i

/** The types that are read, in words. */
export const IMAGE_TYPES = 'JPEG, PNG, WebP, GIF, TIFF or AVIF'

/** What is said of a labelled image of another type. */
export function otherTypeMessage(path: string): string {
  const ending = /\.[^./]+$/.exec(path)?.[0] ?? 'no ending'
  return `expected ${IMAGE_TYPES}, found a labelled image of another type (${ending}); convert it`
}
