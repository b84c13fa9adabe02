export {
  type Arm,
  type ArmRun,
  armDifference,
  measured,
  readTables,
  type SeedTable,
  type Split,
  selectStudent,
} from './arms'
export {
  type ModelRef,
  type TrialConfig,
  type TrialKind,
  trialFolder,
  trialHash,
  trialSchema,
} from './config'
export { createDistillation } from './distillation'
export { type JobPlan, jobPlanSchema, planJobs } from './jobs'
export { applyLabels, type LabelledSamples, type Labels } from './labels'
export { lockFolder } from './lock'
export { type GammaRow, type LogRow, readGammas, readLog, readLogFile } from './log'
export { methodOf, withTerms } from './method'
export { type EvaluationMetrics, type Metrics, metricsSchema } from './metrics'
export { describeRef, loadModel, SHIPPED, shippedRef } from './models'
export {
  type AblationPoint,
  CONTROL_NAMES,
  namedTrials,
  type Plan,
  planStudy,
  refTo,
  type StartingPoint,
  testTrial,
} from './plan'
export { readPreparation, type Stage } from './preparation'
export {
  loadProfile,
  type Profile,
  profileNames,
  type Recipe,
  type Term,
  thresholdSchema,
  weightSchema,
} from './profile'
export { provenance } from './provenance'
export { compareWithReference, type Deviation, type Reference, readReference, referenceOf } from './reference'
export * from './results'
export { announceTrials, type RunOptions, type TrialState } from './runner'
export {
  type Candidate,
  MACS_SHARE,
  SELECTION_RULE,
  type Selection,
  type SelectionRow,
  select,
} from './selection'
export { SIDE_SWEEPS, type SideSweep, sideSweep, sideTrials, workbookTrials } from './side'
export { openSource } from './source'
export * from './statistics'
export { createStudy, type Study, type StudySettings } from './study'
export { loadSweep, planSweep, type Sweep, type SweepArm, sweepNames, sweepSchema } from './sweep'
export {
  findSweep,
  readSweepFile,
  runSweep,
  SWEEPS,
  type SweepFile,
  type SweepResult,
  type SweepRow,
  shippedSweeps,
  sweepFileSchema,
  sweepTrials,
} from './sweep-result'
export { runTask } from './task'
export { runTrial, type TrialProgress } from './trial'
export { NO_MORE, type TrialOrder, type TrialReport } from './worker'
