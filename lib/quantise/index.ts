/** A network as files say it, folded and in eight bits, and trained as such. */
export { type CalibrationOptions, calibrate } from './calibrate'
export { detectorOf, QuantisedDetector } from './detector'
export { fakeQuantise, fakeQuantiseKernel } from './fake'
export { type Grid, gridOf, TARGETS, type Target } from './grids'
export {
  type Calibration,
  calibrationOf,
  type Quantisation,
  type QuantiseOptions,
  quantisationSchema,
  quantiseSchema,
} from './options'
export { checkPlannable, planOf } from './plan'
