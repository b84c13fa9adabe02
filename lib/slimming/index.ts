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
