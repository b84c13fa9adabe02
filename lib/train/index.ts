export {
  type Checkpoint,
  loadCheckpoint,
  saveCheckpoint,
  sha256,
  type TrainingState,
  withoutTraining,
  writeAtomically,
} from './checkpoint'
export { type FrozenOptions, FrozenOutputs, type FrozenStatistics } from './frozen'
export * from './loop'
export { createSlots, globalNorm, type SgdOptions, sgdSchema } from './optimizer'
export * from './predict'
export { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors'
export { learningRate, type RateSchedule, scheduleSchema, type WarmUp, warmUpSchema } from './schedule'
export * from './step'
