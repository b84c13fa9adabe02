import { z } from 'zod'
import { parseDocument } from '../base'
import { type DetectorConfig, STRIDES } from './types'

const width = z.number().int().positive()
const side = z
  .number()
  .refine((pixels) => pixels > 0 && pixels % STRIDES[0] === 0, `expected a multiple of ${STRIDES[0]} pixels`)
const anchor = z.tuple([z.number().positive(), z.number().positive()])

/** An architecture as it stands in a JSON file; see `DetectorConfig`. */
export const detectorSchema: z.ZodType<DetectorConfig, z.ZodTypeDef, unknown> = z
  .object({
    input: z.tuple([side, side]),
    classes: z.number().int().positive(),
    backbone: z
      .object({ in: z.array(width).length(5), out: z.array(width).length(5), mid: z.array(width).length(7) })
      .strict()
      .refine(
        (widths) => widths.in.slice(1).every((channels, i) => channels === widths.out[i]),
        'expected every stage to take what the one before gives (in[i + 1] = out[i])',
      ),
    neck: z.tuple([width, width, width]),
    upsample: z.enum(['deconv', 'nearest']),
    spp: z.boolean(),
    anchors: z.array(z.array(anchor).min(1)).length(3),
    scaleXY: z.number().min(1),
  })
  .strict()

/** @throws Error naming the key of an architecture that cannot be built, what was expected and what was found */
export function checkConfig(config: DetectorConfig): void {
  parseDocument(config, detectorSchema, 'detector config')
}
