export {
  type AssignOptions,
  assignSchema,
  assignTargets,
  TARGET_CHANNELS,
  type TargetScale,
  type Targets,
  targetTensors,
} from './assign'
export * from './check'
export * from './distill'
export { SEED_ASSIGN, SEED_LOSS } from './seed'
export * from './types'
export { type BoxLoss, lossSchema, type Normalisation, type YoloLossOptions, yoloLoss } from './yolo'
