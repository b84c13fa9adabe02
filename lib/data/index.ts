export {
  type Augmentation,
  type AugmentOptions,
  augmentSchema,
  type Fit,
  PUBLISHED_AUGMENTATION,
} from './augment'
export type { Batch } from './batch'
export type { Crop, LoadableSample } from './frames'
export { readImage, readImageSize } from './images'
export { createLoader, type Loader, type LoaderOptions, type LoaderStatistics, loaderSchema } from './loader'
export { Random } from './random'
export { cropRegion, type Placement, type Region, toImage, toInput } from './transform'
export type { Box, Dataset, RgbImage, Sample, SplitName } from './types'
