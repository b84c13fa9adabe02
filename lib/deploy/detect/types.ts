import type { Box, RgbImage } from '../../data'

/** One image on its way to the models. */
export interface SourceImage {
  /** One word, other than that of all other images: what files about it are called. */
  readonly name: string
  /** Its path below the source, with '/' on every system. */
  readonly place: string
  /** In pixels of the upright image; absent where nobody has labelled it. */
  readonly truths?: readonly Box[]
  /** Decodes it as it is to be seen. @throws Error naming the file that cannot be decoded */
  load(): Promise<RgbImage>
}

export interface Source {
  /** What it is called in a heading and in the name of a folder. */
  readonly title: string
  /** How many images there are; about, of a video. */
  readonly total: number
  readonly images: AsyncIterable<SourceImage>
  /** Of a data set with labels. */
  readonly classes?: readonly string[]
  /** What a data set has wrong; its sound images are looked at all the same. */
  readonly problems: readonly string[]
}
