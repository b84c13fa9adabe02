/** The distillation losses, one file per method, and their weighted combination. */
export {
  type CombinationOptions,
  type DistillationTerm,
  distillationLoss,
  methodWeights,
} from './combination'
export {
  type Connecting,
  type Connection,
  connect,
  connectingShape,
  type FeatureLink,
} from './connect'
export {
  createVariables,
  type DistillationOptions,
  METHOD_NAMES,
  METHODS,
  type MethodName,
  type MethodVariables,
  methodNamed,
  PUBLISHED,
} from './list'
export type { Method } from './method'
export * from './methods'
export { PASSING_THRESHOLD, passingMask, thresholdSchema } from './passing'
export { type Schedule, scheduleFactor, termScheduleSchema } from './schedule'
export type { DistillationConfig, Variables } from './types'
