export { type AnchorOptions, type Anchors, fitAnchors } from './anchors'
export { type Annotation, formatAnnotations, parseAnnotations, readAnnotations } from './annotations'
export {
  type Augmentation,
  type AugmentOptions,
  augmentSchema,
  type Fit,
  PUBLISHED_AUGMENTATION,
} from './augment'
export type { Batch } from './batch'
export { type CheckReport, type CleanSet, checkDataset } from './check'
export { flaggedBoxes, type Notation, writeAnnotations } from './convert'
export { countBoxes, type SplitCounts } from './counts'
export type { Crop, LoadableSample } from './frames'
export { type GenerateOptions, generateScenes, type ScenesConfig, scenesSchema } from './generate'
export { hashDataset } from './hash'
export { encodePng, readImage, readImageSize } from './images'
export { FORMATS, type Format } from './layout'
export { createLoader, type Loader, type LoaderOptions, type LoaderStatistics, loaderSchema } from './loader'
export { type OpenOptions, openDataset } from './open'
export { DatasetError, describeProblem, type Problem, type ProblemKind } from './problem'
export type { VocPixels } from './readers/voc'
export {
  renderScene,
  SCENE_CLASSES,
  type Scene,
  type SceneClass,
  type SceneOptions,
  type SceneStyle,
} from './scenes'
export { carveValidation } from './split'
export { type StrongOptions, strongSchema } from './strong'
export { cropRegion, type Placement, type Region, toImage, toInput } from './transform'
export type { Box, Dataset, RgbImage, Sample, SplitName } from './types'
