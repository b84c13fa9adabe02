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
export { type JobPlan, jobPlanSchema, planJobs } from './jobs'
export { methodOf, withTerms } from './method'
export {
  type AblationPoint,
  CONTROL_NAMES,
  namedTrials,
  type Plan,
  planStudy,
  type StartingPoint,
  testTrial,
} from './plan'
export { readPreparation, type Stage } from './preparation'
export {
  loadProfile,
  type Profile,
  profileNames,
} from './profile'
export { compareWithReference, type Deviation, type Reference, readReference, referenceOf } from './reference'
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
