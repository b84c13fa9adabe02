export {
  type AssignOptions,
  assignSchema,
  assignTargets,
  lookUpTargets,
  type TargetInputs,
  type Targets,
  targetInputs,
  targetTensors,
} from './assign'
export * from './check'
export * from './distill'
export { SEED_ASSIGN, SEED_LOSS } from './seed'
export { TARGET_CHANNELS, type TargetScale } from './slots'
export * from './types'
export { type BoxLoss, lossSchema, type Normalisation, type YoloLossOptions, yoloLoss } from './yolo'
