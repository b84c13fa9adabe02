/** The only list of image types: those that are read, and those recognised but not read. */

/** File names of images that are read. */
export const IMAGE_NAME = /\.(jpe?g|jpe|jfif|png|webp|gif|tiff?|avif)$/i

/** Images of other types: counted and named, never read. */
export const OTHER_IMAGE_NAME =
  /\.(bmp|dib|p[bgpn]m|pfm|hdr|exr|heic|heif|hif|jp2|j2k|jxl|mpo|dng|nef|cr2|arw|tga|ico|svg|psd)$/i

/** The types that are read, in words. */
export const IMAGE_TYPES = 'JPEG, PNG, WebP, GIF, TIFF or AVIF'

/** The message for a labelled image of another type. */
export function otherTypeMessage(path: string): string {
  const ending = /\.[^./]+$/.exec(path)?.[0] ?? 'no ending'
  return `expected ${IMAGE_TYPES}, found a labelled image of another type (${ending}); convert it`
}
