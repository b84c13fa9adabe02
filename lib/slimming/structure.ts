import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { readSealed, writeSealed } from '../base'
import {
  checkNetwork,
  darknet21,
  darknet21Schema,
  type NetworkSpec,
  networkSchema,
  networkText,
} from '../detector'
import { maskGroups, narrowed, prunableSchema } from './groups'
import type { PruningPlan } from './plan'

const FORMAT = 'pruned-structure/2'
const index = z.number().int().min(0)
const width = z.number().int().positive()

const described = {
  threshold: z.number().min(0),
  /** Indices of the channels that stay, by mask group. */
  kept: z.record(z.array(index).min(1)),
  provenance: z.record(z.unknown()),
}
/** The file of a pruned structure. */
export const structureSchema = z.discriminatedUnion('format', [
  /** `network` is the unpruned architecture. */
  z
    .object({ format: z.literal(FORMAT), network: networkSchema, prunable: prunableSchema, ...described })
    .strict(),
  /** Of a darknet21 by its widths and options, with the pruned backbone's widths. */
  z
    .object({
      format: z.literal('pruned-structure/1'),
      detector: darknet21Schema,
      widths: z.object({ in: z.array(width), out: z.array(width), mid: z.array(width) }).strict(),
      ...described,
    })
    .strict(),
])

/** A pruning as a file: apply it with `prune(network, weights, plan)`. */
export interface PrunedStructure {
  /** The unpruned architecture. */
  readonly network: NetworkSpec
  readonly plan: PruningPlan
  /** Anything else worth knowing: parents, options, versions. */
  readonly provenance: { readonly [key: string]: unknown }
}

/** Writes a pruned structure as sealed JSON, layers and lists of numbers on one line each. */
export function writeStructure(path: string, { network, plan, provenance }: PrunedStructure): void {
  const { threshold, prunable, kept } = plan
  writeSealed(path, { format: FORMAT, network, threshold, prunable, kept, provenance }, networkText)
}

/**
 * Reads a pruned structure and checks that it fits the architecture that it names. Files of version 1, of a darknet21 by its
 * widths, are still read.
 *
 * @throws Error naming the file and the key, what was expected and what was found
 */
export function readStructure(path: string): PrunedStructure {
  const fail = (key: string, problem: string): never => {
    throw new Error(
      `${path}: not a pruned structure: at "${key}": ${problem}; write it again with writeStructure`,
    )
  }
  const document = readSealed(path, structureSchema, {
    what: 'a pruned structure',
    advice: 'write it again with writeStructure',
  })
  const { threshold, kept, provenance } = document
  const network =
    'network' in document
      ? checkNetwork(document.network, path)
      : darknet21(document.detector.backbone, document.detector)
  const prunable = 'prunable' in document ? document.prunable : 'backbone'
  const groups = maskGroups(network, prunable)
  for (const { name, channels } of groups) {
    const indices = kept[name]
    if (!indices) return fail(`kept.${name}`, 'expected a list of channels, found none')
    const wrong = indices.findIndex((c, i) => c >= channels || (i > 0 && c <= indices[i - 1]!))
    if (wrong >= 0) {
      fail(`kept.${name}.${wrong}`, `expected ascending indices below ${channels}, found ${indices[wrong]}`)
    }
  }
  const superfluous = Object.keys(kept).find((key) => !groups.some(({ name }) => name === key))
  if (superfluous !== undefined) fail(`kept.${superfluous}`, 'the architecture has no such group of layers')
  const pruned = narrowed(network, kept, prunable)
  if ('widths' in document && !isDeepStrictEqual(pruned, darknet21(document.widths, document.detector)))
    fail('widths', `expected the numbers of channels kept, found ${JSON.stringify(document.widths)}`)
  return { network, plan: { kept, threshold, prunable, network: pruned }, provenance }
}
