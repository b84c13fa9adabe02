import { z } from 'zod'
import { scenesSchema } from '../../lib/data'

/** The task of a device check process, as a JSON file. */
export const taskSchema = z
  .object({
    kind: z.enum(['describe', 'placement', 'measure']),
    precision: z.enum(['float32', 'float16', 'bfloat16']),
    scenes: scenesSchema,
    /** Folder of the rendered scenes. */
    cache: z.string(),
    /** Images a step. */
    batch: z.number().int().positive(),
    /** Steps of the short training. */
    steps: z.number().int().positive(),
    /** The CPU's measurements, if they exist already. */
    reference: z.string().optional(),
    /** File for the answer: measurements as safetensors, a description as JSON. */
    file: z.string(),
  })
  .strict()
export type Task = z.infer<typeof taskSchema>

/** A device's description; `float16` and `bfloat16` give the reason if it cannot compute in them. */
export const answerSchema = z
  .object({
    device: z.enum(['CPU', 'GPU']),
    /** Whether two runs should give the same bits. */
    deterministic: z.boolean(),
    name: z.string(),
    computeCapability: z.number().optional(),
    float16: z.string().optional(),
    bfloat16: z.string().optional(),
  })
  .strict()
export type Answer = z.infer<typeof answerSchema>
