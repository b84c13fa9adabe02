export { type MaskGroup, maskGroups, prunableGammas } from './groups'
export {
  type Gammas,
  type PruningOptions,
  type PruningPlan,
  type PruningRules,
  type PruningTarget,
  planPruning,
  pruningRulesSchema,
  pruningTargetSchema,
} from './plan'
export { prune } from './prune'
export {
  accuracyByRatio,
  type Evaluate,
  type LayerPoint,
  type ScanOptions,
  type ScanPoint,
  sensitivityScan,
} from './scan'
export { type GammaHistogram, type GammaHistogramOptions, gammaHistogram, sparsityStrength } from './sparsity'
export { type PrunedStructure, readStructure, structureSchema, writeStructure } from './structure'
