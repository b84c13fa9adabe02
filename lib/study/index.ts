export type { ModelRole, SweepArm } from './arm'
export {
  type Arm,
  type ArmNumbers,
  type ArmRun,
  type ArmTables,
  armDifference,
  bootstrapOf,
  type ComparisonOptions,
  compareArms,
  evaluationOn,
  pairSeeds,
  type Role,
  readTables,
  type SeedTable,
  type Split,
  type SplitNumbers,
  type TermNumbers,
  termsOf,
  type Variation,
} from './comparison'
export { type JobPlan, jobPlanSchema, planJobs } from './jobs'
export { LEADING_METRICS, METRIC_NAMES, METRICS, type Metric, type MetricName, metricTable } from './metric'
export { type Plan, planModels, type StartingPoint, stageSteps } from './plan'
export {
  loadProfile,
  type Profile,
  profileNames,
} from './profile'
export { CONTROL_NAMES, profileSweep } from './profile-arms'
export { compareWithReference, type Deviation, type Reference, readReference, referenceOf } from './reference'
export { announceTrials, type RunOptions, type TrialState } from './runner'
export {
  type Candidate,
  MACS_SHARE,
  SELECTION_RULE,
  type Selection,
  type SelectionRow,
  select,
  selectStudent,
} from './selection'
export { SHORT_SWEEPS, type ShortSweep, shortSweep, shortTrials } from './short-sweeps'
export { readPreparation, type Stage } from './stages'
export * from './statistics'
export { createStudy, type Study, type StudySettings } from './study'
export {
  armOf,
  isPrepared,
  namedTrials,
  notebookTrials,
  preparationTrials,
  withTerms,
} from './study-trials'
export {
  compareSweep,
  findArms,
  loadSweep,
  measuringTrial,
  type PlannedArm,
  planArms,
  type Sweep,
  type SweepTrials,
  sweepNames,
  sweepPreparation,
  sweepSchema,
  sweepTrials,
} from './sweep'
export {
  readSweepFile,
  SWEEPS,
  type SweepFile,
  type SweepResult,
  shippedSweeps,
  sweepFileSchema,
} from './sweep-file'
export { trialMemory, workersOf } from './workers'
