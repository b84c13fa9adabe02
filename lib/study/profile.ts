import { join } from 'node:path'
import { z } from 'zod'
import type { Change } from '../base'
import { scenesSchema } from '../data'
import { METHOD_NAMES, thresholdSchema } from '../losses'
import { quantiseSchema } from '../quantise'
import { curveSchema } from '../train'
import { pruneSchema, recipeSchema, termSchema } from '../trial'
import { seedsSchema } from './arm'
import { type NamedFiles, namesOf, readNamed } from './named-file'
import { leastResamples } from './statistics'

const steps = z.number().int().positive()

/** Steps and peak learning rate of a stage. */
export const stageSchema = z.object({ steps, rate: z.number().positive().finite() }).strict()

const ablationsSchema = z
  .object({
    /** lambda as multiples of the method's own. */
    lambda: z
      .object({ methods: z.array(z.enum(METHOD_NAMES)), factors: z.array(z.number().positive()) })
      .strict(),
    /** Objectness thresholds of the method that has one. */
    threshold: z.array(thresholdSchema),
    /** Temperatures of methods that soften with one. */
    temperature: z
      .object({ methods: z.array(z.enum(METHOD_NAMES)), values: z.array(z.number().positive().finite()) })
      .strict()
      .default({ methods: [], values: [] }),
  })
  .strict()

/** The references of the methods, beside the student trained on for as many steps. */
const controlsSchema = z
  .object({
    /** The student trained on without a teacher for as many MACs as a method uses. */
    equalCompute: z.boolean(),
    /** The teacher trained on for as many steps, which shows whether it had reached its plateau. */
    teacher: z.boolean(),
    /** The student's architecture with new weights, for as many steps as fine-tuning and distillation together. */
    scratch: z.boolean(),
  })
  .strict()

/** Steps of the stages on the user's own data. */
export const ownDataStepsSchema = z
  .object({ teacher: steps, sparse: steps, finetune: steps, distill: steps })
  .strict()

/** A profile: data, network, recipe, stages, and the trials of the study. */
export const profileSchema = z
  .object({
    name: z.string(),
    /** How long the study takes, for people. */
    cost: z.string().optional(),
    data: scenesSchema,
    /** Part of a frame to use, as fractions [x1, y1, x2, y2]; only for data sets given by the user. */
    crop: z.tuple([z.number(), z.number(), z.number(), z.number()]).optional(),
    detector: z
      .object({
        input: z.tuple([steps, steps]),
        /** Multiplies the published teacher's widths. */
        width: z.number().positive().max(1),
        upsample: z.enum(['deconv', 'nearest']).default('deconv'),
        spp: z.boolean().default(true),
        /** [scale][anchor] = [width, height]; 'k-means' computes them from the training boxes. */
        anchors: z.union([z.literal('k-means'), z.array(z.array(z.tuple([z.number(), z.number()])))]),
        /** Replaces `anchors` for data given by the user: computed from their training boxes. */
        ownDataAnchors: z.literal('k-means').optional(),
      })
      .strict(),
    recipe: recipeSchema,
    stages: z
      .object({
        teacher: stageSchema,
        /** `strength` is s for this number of steps; with another number it is scaled to keep s x steps constant. */
        sparse: stageSchema.extend({ strength: z.number().positive().finite() }),
        prune: pruneSchema,
        finetune: stageSchema,
        /** With `quantise` students and controls are trained as the int8 network that they are to be; see an arm's. */
        distill: stageSchema.extend({ quantise: quantiseSchema.optional() }),
      })
      .strict(),
    /**
     * Checkpoints under data/checkpoints that replace the training of teacher and student and the pruning in between, and
     * the record of the sparsity training. They must have been made with the profile's settings.
     */
    checkpoints: z
      .object({ teacher: z.string(), sparse: z.string(), pruned: z.string(), student: z.string() })
      .strict()
      .optional(),
    /** Steps of the same stages for a data set given by the user, for which nothing is shipped. */
    ownDataSteps: ownDataStepsSchema,
    methods: z.array(termSchema).min(1),
    controls: controlsSchema,
    ablations: ablationsSchema,
    /** Steps of the short sweeps, and the number of images that keep their labels in the one about few labels. */
    side: z
      .object({
        steps,
        labelled: steps,
        /** Steps of the sweep whose teachers saw few labels; by default a study leaves it out. */
        fewLabels: z.object({ steps }).strict().optional(),
      })
      .strict(),
    /** The first seed runs everything; further ones only the control and the methods. */
    seeds: seedsSchema,
    /** Replacements for --full. */
    full: z
      .object({ seeds: seedsSchema, controls: controlsSchema, ablations: ablationsSchema })
      .strict()
      .optional(),
    /**
     * Trials that run side by side, one thread each; 1 uses every thread. 'auto': one per core, as memory allows.
     */
    workers: z.union([z.literal('auto'), z.number().int().positive()]).default('auto'),
    /**
     * Milliseconds that a call of the file may take which the model card names; default: as many as the student's in this library.
     */
    deploy: z.object({ milliseconds: z.number().positive().finite() }).strict().optional(),
    checkpointEvery: steps,
    logEvery: steps,
    /**
     * Evaluations along the way on part of the validation images, for curves alone. Trials have the same weights and hashes
     * without them.
     */
    curve: curveSchema.optional(),
    bootstrap: z
      .object({ resamples: steps, confidence: z.number().gt(0).lt(1) })
      .strict()
      .refine(({ resamples, confidence }) => resamples >= leastResamples(confidence), {
        path: ['resamples'],
        message: 'expected at least 2 / (1 - confidence), without which no difference can show',
      }),
  })
  .strict()

/** A study's settings, read from YAML. */
export type Profile = z.infer<typeof profileSchema>

const PROFILES: NamedFiles = { kind: 'profile', folder: join(__dirname, 'profiles') }

/** Names of the profiles shipped with the workbook. */
export function profileNames(): string[] {
  return namesOf(PROFILES)
}

/**
 * Reads a profile by name, or a user's own YAML file, which may say `extends: default` and only what differs.
 * @param set `key=value` each, laid over the file
 * @throws Error naming the file, the key or line, and what was expected there
 */
export function loadProfile(nameOrFile: string, set: readonly string[] = []): Profile {
  return readProfile(nameOrFile, set).profile
}

/** A profile, with its changes to the one it extends. */
export function readProfile(
  nameOrFile: string,
  set: readonly string[] = [],
): { profile: Profile; changes: readonly Change[] } {
  const { value: profile, changes } = readNamed(PROFILES, profileSchema, nameOrFile, set)
  return { profile, changes }
}
