export { type Annotation, formatAnnotations, parseAnnotations, readAnnotations } from './annotations'
export {
  type Augmentation,
  type AugmentOptions,
  augmentSchema,
  type Fit,
  PUBLISHED_AUGMENTATION,
} from './augment'
export type { Batch } from './batch'
export type { Crop, LoadableSample } from './frames'
export { type GenerateOptions, generateScenes, type ScenesConfig, scenesSchema } from './generate'
export { encodePng, readImage, readImageSize } from './images'
export { createLoader, type Loader, type LoaderOptions, type LoaderStatistics, loaderSchema } from './loader'
export { Random } from './random'
export {
  renderScene,
  SCENE_CLASSES,
  type Scene,
  type SceneClass,
  type SceneOptions,
  type SceneStyle,
} from './scenes'
export { cropRegion, type Placement, type Region, toImage, toInput } from './transform'
export type { Box, Dataset, RgbImage, Sample, SplitName } from './types'
