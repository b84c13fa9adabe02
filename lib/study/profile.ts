import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { augmentSchema, scenesSchema } from '../data'
import { type MethodName, PUBLISHED } from '../losses'
import { sgdSchema, warmUpSchema } from '../train'

const steps = z.number().int().positive()
const METHOD_NAMES = Object.keys(PUBLISHED) as [MethodName, ...MethodName[]]

/** lambda as a number, or found at the start so that distillation's gradient is `ratio` times the ground truth's. */
export const weightSchema = z.union([z.number().min(0), z.object({ ratio: z.number().positive() }).strict()])

/** Objectness of the teacher from which on a cell counts. */
export const thresholdSchema = z.number().min(0).max(1)

/** One method of a distillation loss with its options; what is left out takes the published value. */
export const termSchema = z
  .object({
    method: z.enum(METHOD_NAMES),
    weight: weightSchema,
    temperature: z.number().positive().optional(),
    scaleByTemperatureSquared: z.boolean().optional(),
    threshold: thresholdSchema.optional(),
    variant: z.enum(['mse', 'paper', 'paddle']).optional(),
    /** Steps at which it counts. Where no term does, neither the teacher nor the unlabelled frames take part. */
    schedule: z
      .object({
        start: z.number().int().min(0).optional(),
        stop: steps.optional(),
        ramp: z.number().int().min(0).optional(),
      })
      .strict()
      .optional(),
  })
  .strict()

/** Images that every distillation step sees through the teacher alone, beside its labelled batch. */
export const unlabelledSchema = z
  .object({
    /** Images a step. */
    batch: steps,
    /** The data set's split of that name, or the training images that `labels` leaves without theirs. */
    source: z.enum(['unlabelled', 'train']).default('unlabelled'),
  })
  .strict()

/** Steps and peak learning rate of a stage. */
const stageSchema = z.object({ steps, rate: z.number().positive() }).strict()

export const pruneSchema = z
  .object({
    /** Share of the teacher's MACs that stays. */
    macs: z.number().positive().max(1),
    /** Bounds of the share of channels that a layer keeps. */
    floor: z.number().min(0).max(1).default(0.05),
    cap: z.number().positive().max(1).default(0.8),
    /** Widths are rounded up to multiples of this. */
    multiple: z.number().int().positive().default(2),
    /** How layers joined by an addition agree on their channels. */
    shared: z.enum(['union', 'mean']).default('union'),
  })
  .strict()

/** What all trainings of a profile have in common. */
export const recipeSchema = z
  .object({
    batch: z.number().int().positive(),
    augment: augmentSchema,
    /** Augmented views of an image, over which the epochs go round; without it every epoch has its own. */
    views: z.number().int().positive().optional(),
    assign: z
      .object({
        ignoreThreshold: z.number().min(0).max(1).default(0.7),
        multiAnchor: z.boolean().default(false),
        multiAnchorThreshold: z.number().min(0).max(1).default(0.5),
        crossGrid: z.boolean().default(false),
      })
      .strict(),
    loss: z
      .object({
        box: z.enum(['giou', 'iou', 'xywh']).default('giou'),
        normalise: z.enum(['sum', 'image', 'positive']).default('positive'),
        smoothing: z.number().min(0).max(1).default(0.01),
        boxWeight: z.number().min(0).default(1),
        objectnessWeight: z.number().min(0).default(1),
        classWeight: z.number().min(0).default(1),
      })
      .strict(),
    sgd: sgdSchema,
    schedule: z.enum(['cosine', 'poly']),
    warmUp: warmUpSchema,
    /** 'auto' is bfloat16 where the hardware computes it, else float32. */
    precision: z.enum(['auto', 'float32', 'bfloat16', 'float16']),
  })
  .strict()

const ablationsSchema = z
  .object({
    /** lambda as multiples of the method's own. */
    lambda: z
      .object({ methods: z.array(z.enum(METHOD_NAMES)), factors: z.array(z.number().positive()) })
      .strict(),
    /** Objectness thresholds of masked-class-kd. */
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

export const teacherCacheSchema = z
  .object({
    /** Most that lies on disk; what was not used for longest goes first. */
    gigabytes: z.number().positive(),
  })
  .strict()

const seedsSchema = z.array(z.number().int()).min(1)

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
    /** Checkpoints under data/checkpoints that stand for the training of teacher and student, and for the pruning between. */
    checkpoints: z
      .object({ teacher: z.string(), pruned: z.string(), student: z.string() })
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
    /** Trials that run side by side, one thread each; 1 uses every thread. */
    workers: z.number().int().positive(),
    checkpointEvery: steps,
    logEvery: steps,
    /**
     * Keeps the teacher's outputs of every view on disk for the trials that meet it again; results are the same with and
     * without. Off by default.
     */
    teacherCache: teacherCacheSchema.optional(),
    bootstrap: z.object({ resamples: steps, confidence: z.number().gt(0).lt(1) }).strict(),
  })
  .strict()

export type Profile = z.infer<typeof profileSchema>
export type Recipe = z.infer<typeof recipeSchema>
export type Term = z.infer<typeof termSchema>

const FOLDER = join(__dirname, 'profiles')

/** Names of the profiles that come with the workbook. */
export function profileNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`${file}: expected YAML: ${error instanceof Error ? error.message : error}`)
  }
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
  const result = profileSchema.safeParse(readYaml(file))
  if (result.success) return result.data
  const problems = result.error.issues.map(
    (issue) => `  ${issue.path.join('.') || '(top level)'}: ${issue.message}`,
  )
  throw new Error(`${file}: not a valid profile:\n${problems.join('\n')}`)
}
