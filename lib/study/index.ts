export {
  type ModelRef,
  type TrialConfig,
  type TrialKind,
  trialFolder,
  trialHash,
  trialSchema,
} from './config'
export { type EvaluationMetrics, type Metrics, metricsSchema } from './metrics'
export { describeRef, loadModel, shippedRef } from './models'
export { type AblationPoint, type Plan, planStudy, refTo, testTrial } from './plan'
export { loadProfile, type Profile, profileNames, type Term } from './profile'
export { provenance } from './provenance'
export * from './results'
export { lockFolder, type RunOptions, runTrials, type TrialState, taskSchema } from './runner'
export { openSource } from './source'
export { createStudy, type Study, type StudySettings } from './study'
export { runTrial, type TrialProgress } from './trial'
