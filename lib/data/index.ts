export { type AnchorOptions, type Anchors, fitAnchors } from './anchors'
export { type Annotation, formatAnnotations, parseAnnotations } from './annotations'
export {
  type Augmentation,
  type AugmentOptions,
  augmentSchema,
  PUBLISHED_AUGMENTATION,
} from './augment'
export { type Batch, unitValues } from './batch'
export { type CheckReport, checkDataset } from './check'
export { type ClassCounts, countBoxes, type SplitCounts, tabulateClasses } from './counts'
export type { Crop, LoadableSample } from './frames'
export { type GenerateOptions, generateScenes } from './generate'
export { hashDataset } from './hash'
export { encodePng, readImage, readImageSize } from './images'
export { type Account, describeAccount } from './intake/account'
export { readClassNames } from './intake/classes'
export type { VocPixels } from './intake/notation'
export { FORMATS, type Format } from './intake/notations'
export { splitOfName } from './intake/splits'
export { givenPath } from './intake/text'
export {
  describeLost,
  type LostBoxes,
  lostBoxes,
  type SeenAs,
  type StudyNeeds,
  studyLimits,
} from './limits'
export { createLoader, type Loader, type LoaderOptions, type LoaderStatistics, loaderSchema } from './loader'
export { type OpenOptions, openDataset } from './open'
export { DatasetError, describeProblem, type Problem, type ProblemKind } from './problem'
export { type ImageSample, readSampleImage } from './sample-image'
export { type ScenesConfig, scenesSchema } from './scene-files'
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
export { cropRegion, type Fit, type Placement, type Region, toImage, toInput } from './transform'
export type { Box, Dataset, RgbImage, Sample, SplitName } from './types'
export {
  classLines,
  fillsLine,
  flaggedBoxes,
  IMAGE_MODES,
  type ImageMode,
  WRITTEN_FORMATS,
  type WritableSet,
  writeDataset,
} from './writers'
