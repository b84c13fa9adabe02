export {
  type AssignOptions,
  assignTargets,
  TARGET_CHANNELS,
  type TargetScale,
  type Targets,
  targetTensors,
} from './assign'
export * from './check'
export * from './distill'
export * from './types'
export { type BoxLoss, type Normalisation, type YoloLossOptions, yoloLoss } from './yolo'
