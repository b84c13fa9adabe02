export { leastBlocks, type ResidualBlock, residualBlocks, withoutBlocks } from './blocks'
export {
  gammaOf,
  type Kept,
  type MaskGroup,
  maskGroups,
  type Prunable,
  prunableGammas,
  prunableSchema,
} from './groups'
export { type LatencyOptions, type LatencyTable, latencyOf, measureLatency, measureNetwork } from './latency'
export {
  type Gammas,
  LATENCY_TOLERANCE,
  type PruningOptions,
  type PruningPlan,
  type PruningRules,
  type PruningTarget,
  planByLatency,
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
