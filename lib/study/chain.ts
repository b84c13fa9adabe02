/** Chains: sweeps whose unit is the whole path from a teacher of its own to the student, one per seed. */
import { z } from 'zod'
import { loadShipped, pruneSchema, type TrialConfig } from '../trial'
import type { RecipeChange } from './arm'
import { measuringTrial, type Plan, type Planned, planModels } from './plan'
import { stageSchema } from './profile'

/** The stages from new weights to the pruned network; with a chain, seeds vary the teacher too. */
export const chainSchema = z
  .object({
    teacher: stageSchema,
    /** `strength` is s for this number of steps. */
    sparse: stageSchema.extend({ strength: z.number().positive().finite() }),
    /** Default: the profile's. */
    prune: pruneSchema.optional(),
    /** Fine-tuning after pruning; without it no arm can start from the student. */
    finetune: stageSchema.optional(),
  })
  .strict()
export type Chain = z.infer<typeof chainSchema>

/** Shipped checkpoints of every seed: "a-teacher" is a-teacher-1 for seed 1. */
export const seedCheckpointsSchema = z.object({ teacher: z.string(), student: z.string() }).strict()
export type SeedCheckpoints = z.infer<typeof seedCheckpointsSchema>

/** The parts of a sweep that its models depend on. */
export interface ChainOptions {
  readonly chain: Chain
  readonly labels?: Parameters<typeof planModels>[0]['labels']
  readonly recipe?: RecipeChange
}

/**
 * The models of one seed's chain. A teacher of the user's own is where every seed's teacher starts its training, and a student
 * where its fine-tuning starts; without one a student is the same for all seeds.
 */
export function planChain(
  { chain, labels, recipe }: ChainOptions,
  {
    profile,
    dataset,
    precision,
    plan: { data },
    given: { teacher: ownTeacher, student: ownStudent } = {},
  }: Planned,
  seed: number,
): Plan {
  const { teacher, sparse, prune = profile.stages.prune, finetune = profile.stages.finetune } = chain
  const stages = { ...profile.stages, teacher, sparse, prune, finetune }
  const plan = planModels({
    profile: {
      ...profile,
      recipe: { ...profile.recipe, ...recipe },
      stages,
      ownDataSteps: {
        ...profile.ownDataSteps,
        ...{ teacher: teacher.steps, sparse: sparse.steps, finetune: finetune.steps },
      },
    },
    dataset,
    precision,
    // Crop and anchors depend on whose data it is.
    ownData: data.crop !== undefined,
    from: 'scratch',
    seed,
    labels,
    given: {
      ...(ownTeacher && { teacher: { ...ownTeacher, trained: false } }),
      ...(ownStudent && { student: { ...ownStudent, trained: ownStudent.trained && !chain.finetune } }),
    },
  })
  const isNeeded = ({ kind }: TrialConfig) => kind !== 'finetune' || chain.finetune !== undefined
  return { ...plan, preparation: plan.preparation.filter(isNeeded) }
}

/**
 * The models of one seed where they are shipped: a chain's teacher and its student, from which the arms start.
 * @throws Error if there is no checkpoint of that name and seed
 */
export function planShipped(
  names: SeedCheckpoints,
  { plan, precision }: Pick<Planned, 'plan' | 'precision'>,
  seed: number,
): Plan {
  const load = (name: string) => {
    const shipped = `${name}-${seed}`
    const { network, sha256 } = loadShipped(shipped)
    const ref = { shipped, sha256 }
    return { network, ref, baseline: measuringTrial(ref, 'validation', { plan, precision }) }
  }
  const [teacher, student] = [load(names.teacher), load(names.student)]
  return {
    ...plan,
    ...{ teacher: teacher.ref, student: student.ref, pruned: student.ref },
    ...{ slimming: undefined, preparation: [], shipped: true },
    networks: { teacher: teacher.network, student: student.network },
    baselines: { teacher: teacher.baseline, student: student.baseline },
  }
}
