export { type AverageOptions, averageDecay, averageSchema } from './average'
export {
  type Checkpoint,
  checkpointSchema,
  loadCheckpoint,
  saveCheckpoint,
  type TrainingState,
  withoutTraining,
} from './checkpoint'
export { DivergedError, type Divergence, type Growth } from './divergence'
export { train } from './loop'
export { createSlots, globalNorm, type SgdOptions, sgdSchema } from './optimizer'
export * from './options'
export * from './predict'
export { type Labeller, removeLabels } from './pseudo-labels'
export { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors'
export { learningRate, type RateSchedule, scheduleSchema, type WarmUp, warmUpSchema } from './schedule'
export {
  bestRow,
  type CurveRule,
  curveSchema,
  findPlateau,
  type Plateau,
  stageOf,
  type ValidationRow,
  type ValidationRule,
  validationRowSchema,
  validationSchema,
} from './stage'
export * from './step'
export { removeBest, VALIDATION_FILE } from './validation'
