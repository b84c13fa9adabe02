export { type ModelRole, type SweepArm, seedsSchema } from './arm'
export type {
  ArmNumbers,
  FailedArm,
  FailedTrial,
  Role,
  Split,
  SplitNumbers,
  TermNumbers,
  Variation,
} from './arm-numbers'
export {
  type Arm,
  type ArmFailure,
  type ArmRun,
  type ArmTables,
  armDifference,
  evaluationOn,
  pairSeeds,
  readTables,
  type SeedTable,
} from './arm-tables'
export { bootstrapOf, type ComparisonOptions, compareArms, failedArms, termsOf } from './comparison'
export { type JobPlan, jobPlanSchema, planJobs } from './jobs'
export { latencyOfArm, type StudyLatency, studyLatency } from './latency'
export { LEADING_METRICS, METRIC_NAMES, METRICS, type Metric, type MetricName, metricTable } from './metric'
export { type GivenRef, measuringTrial, type Plan, planModels, type StartingPoint, stageSteps } from './plan'
export {
  loadProfile,
  type Profile,
  profileNames,
  readProfile,
} from './profile'
export { CONTROL_NAMES, profileSweep } from './profile-arms'
export {
  announceTrials,
  failuresAmong,
  type RunOptions,
  resultsOf,
  type TrialOutcome,
  type TrialState,
  TrialsFailed,
} from './runner'
export {
  type Candidate,
  MACS_SHARE,
  SELECTION_RULE,
  type Selection,
  type SelectionRow,
  select,
  selectStudent,
} from './selection'
export { fewLabels, type ShortSweep, shortSweep, shortSweeps, shortTrials } from './short-sweeps'
export { readPreparation, type Stage } from './stages'
export * from './statistics'
export {
  createStudy,
  needsOf,
  type Study,
  type StudyRunOptions,
  type StudySettings,
  withArmModels,
} from './study'
export {
  armOf,
  isPrepared,
  namedTrials,
  notebookTrials,
  preparationTrials,
  withTerms,
} from './study-trials'
export { loadSweep, type Sweep, sweepNames, sweepSchema } from './sweep'
export { hasOwnTeachers, type PlannedArm, type PlannedRun, planArms, sweepPreparation } from './sweep-arms'
export { checkStudy, checkSweep } from './sweep-check'
export {
  RECORDS,
  readSweepFile,
  recordName,
  SWEEPS,
  type SweepFile,
  type SweepResult,
  shippedSweeps,
  sweepFileSchema,
} from './sweep-file'
export { compareSweep, earlyTrials, findArms, type SweepTrials, sweepTrials } from './sweep-trials'
export { trialMemory, workersOf } from './workers'
