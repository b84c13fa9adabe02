/** What one training is, and what it leaves behind. */
export {
  type ModelRef,
  modelsOf,
  refTo,
  type TrialConfig,
  type TrialKind,
  teachersOf,
  trialFolder,
  trialHash,
  trialSchema,
} from './config'
export { distilledSteps, isDistilled, labellingPasses, trainingMacs } from './cost'
export { readDetections, type TrialDetections, writeDetections } from './detections'
export { createDistillation } from './distillation'
export { checkAlike } from './ensemble'
export {
  describeFailure,
  failureOf,
  findFailure,
  forgetFailure,
  forgetFailures,
  isSettled,
  readFailure,
  type TrialFailure,
  writeFailure,
} from './failure'
export { type GivenModel, type GivenOptions, givenFiles, readGiven, storeGiven } from './given'
export { applyLabels, type LabelledSamples, type Labels, labelsSchema } from './labels'
export {
  type FrameTimingOptions,
  type MeasuredLatency,
  measuredSchema,
  measureLatencies,
} from './latency'
export {
  type GammaRow,
  type LogRow,
  lastLogRow,
  readGammas,
  readLog,
  readLogFile,
  readPseudo,
  readValidation,
  readValidationFile,
} from './log'
export { forgetPeak, peakBytes } from './memory'
export { type EvaluationMetrics, type Metrics, metricsSchema } from './metrics'
export { describeRef, findModel, loadModel, loadShipped, modelFile, SHIPPED, shippedRef } from './models'
export { position, thinnedOut } from './progress'
export { provenance } from './provenance'
export { checkPrunable } from './pruning'
export { type PseudoOptions, pseudoSchema, type TeacherViews, teacherViewsSchema } from './pseudo'
export {
  pruneSchema,
  type Recipe,
  recipeSchema,
  seedSchema,
  type Term,
  termSchema,
  unlabelledSchema,
  weightSchema,
} from './recipe'
export {
  FILES,
  findTrial,
  hashesBeside,
  readMetricsFile,
  readTrial,
  readTrials,
  type TrialResult,
  writeConfig,
  writeMetrics,
} from './results'
export { type DataReading, type DataSource, openSource, readingSchema, recordSplits } from './source'
export { runTask, TASK, type TaskOptions, taskSchema, writeTask } from './task'
export { runTrial, type TrialContext, type TrialProgress } from './trial'
export { TrialWorker } from './worker'
