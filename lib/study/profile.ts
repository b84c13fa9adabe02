import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../base'
import { scenesSchema } from '../data'
import { METHOD_NAMES, thresholdSchema } from '../losses'
import { pruneSchema, recipeSchema, termSchema } from '../trial'
import { seedsSchema } from './arm'

const steps = z.number().int().positive()

/** Steps and peak learning rate of a stage. */
export const stageSchema = z.object({ steps, rate: z.number().positive() }).strict()

const ablationsSchema = z
  .object({
    /** lambda as multiples of the method's own. */
    lambda: z
      .object({ methods: z.array(z.enum(METHOD_NAMES)), factors: z.array(z.number().positive()) })
      .strict(),
    /** Objectness thresholds of the method that has one. */
    threshold: z.array(thresholdSchema),
  })
  .strict()

/** What the methods are compared with, beside the student trained on for as many steps. */
const controlsSchema = z
  .object({
    /** The student trained on without a teacher for as many MACs as a method takes. */
    equalCompute: z.boolean(),
    /** The teacher trained on for as many steps: whether it was at its plateau. */
    teacher: z.boolean(),
    /** The student's architecture with new weights, for as many steps as fine-tuning and distillation have together. */
    scratch: z.boolean(),
  })
  .strict()

/** Steps of the stages on data of the user's own. */
export const ownDataStepsSchema = z
  .object({ teacher: steps, sparse: steps, finetune: steps, distill: steps })
  .strict()

/** A profile: data, network, recipe, stages, and which trials the study has. */
export const profileSchema = z
  .object({
    name: z.string(),
    data: scenesSchema,
    /** Part of a frame that is used, as fractions [x1, y1, x2, y2]; only for data sets given by the user. */
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
        /** For data given by the user, instead of `anchors`: computed from their training boxes. */
        ownDataAnchors: z.literal('k-means').optional(),
      })
      .strict(),
    recipe: recipeSchema,
    stages: z
      .object({
        teacher: stageSchema,
        /** `strength` is s at this number of steps; with another number it is scaled so that s x steps stays. */
        sparse: stageSchema.extend({ strength: z.number().positive() }),
        prune: pruneSchema,
        finetune: stageSchema,
        distill: stageSchema,
      })
      .strict(),
    /**
     * Checkpoints under data/checkpoints that stand for the training of teacher and student and for the pruning between, and
     * the record of the sparsity training. They must have been made as the profile says.
     */
    checkpoints: z
      .object({ teacher: z.string(), sparse: z.string(), pruned: z.string(), student: z.string() })
      .strict()
      .optional(),
    /** The same stages for a data set given by the user, where nothing is shipped. */
    ownDataSteps: ownDataStepsSchema,
    methods: z.array(termSchema).min(1),
    controls: controlsSchema,
    ablations: ablationsSchema,
    /** Steps of the side sweeps (see side.ts), and the number of images whose labels the one about few labels keeps. */
    side: z.object({ steps, labelled: steps }).strict(),
    /** The first seed runs everything; further ones the control and the methods. */
    seeds: seedsSchema,
    /** What --full runs instead. */
    full: z
      .object({ seeds: seedsSchema, controls: controlsSchema, ablations: ablationsSchema })
      .strict()
      .optional(),
    /**
     * Trials that run side by side, one thread each; 1 uses every thread. 'auto': one a core, as many as the memory holds.
     */
    workers: z.union([z.literal('auto'), z.number().int().positive()]).default('auto'),
    checkpointEvery: steps,
    logEvery: steps,
    bootstrap: z.object({ resamples: steps, confidence: z.number().gt(0).lt(1) }).strict(),
  })
  .strict()

export type Profile = z.infer<typeof profileSchema>

const FOLDER = join(__dirname, 'profiles')

/** Names of the profiles that come with the workbook. */
export function profileNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
}

/**
 * Reads a profile by name, or a YAML file of the user's own.
 * @throws Error naming the file and the key or line, with what was expected there
 */
export function loadProfile(nameOrFile: string): Profile {
  const file = nameOrFile.endsWith('.yaml') ? nameOrFile : join(FOLDER, `${nameOrFile}.yaml`)
  if (!existsSync(file)) {
    throw new Error(
      `profile ${nameOrFile}: expected one of ${profileNames().join(', ')} or a .yaml file, found neither`,
    )
  }
  return readDocument(file, profileSchema, { what: 'a valid profile' })
}
