export {
  type Checkpoint,
  loadCheckpoint,
  saveCheckpoint,
  type TrainingState,
  withoutTraining,
  writeAtomically,
} from './checkpoint'
export * from './loop'
export { createSlots, globalNorm, type SgdOptions, sgdSchema } from './optimizer'
export * from './predict'
export { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors'
export { learningRate, type RateSchedule, scheduleSchema, type WarmUp, warmUpSchema } from './schedule'
export * from './step'
