import { z } from 'zod'
import { readDocument, writeAtomically } from '../base'
import { type BackboneWidths, type DetectorConfig, detectorSchema } from '../detector'
import { maskGroups, widthsOf } from './groups'
import type { PruningPlan } from './plan'

const FORMAT = 'pruned-structure/1'
const index = z.number().int().min(0)
const width = z.number().int().positive()

const documentSchema = z
  .object({
    format: z.literal(FORMAT),
    /** The unpruned architecture. */
    detector: detectorSchema,
    /** The pruned backbone's widths: they follow from `kept`, and are here to be read. */
    widths: z.object({ in: z.array(width), out: z.array(width), mid: z.array(width) }).strict(),
    threshold: z.number().min(0),
    /** Indices of the channels that stay, by mask group. */
    kept: z.record(z.array(index).min(1)),
    provenance: z.record(z.unknown()),
  })
  .strict()

/** A pruning as a file: apply it with `prune(detector, weights, plan)`. */
export interface PrunedStructure {
  /** The unpruned architecture. */
  readonly detector: DetectorConfig
  readonly plan: PruningPlan
  /** Anything else worth knowing: parents, options, versions. */
  readonly provenance: { readonly [key: string]: unknown }
}

/** Writes a pruned structure as JSON, lists of numbers on one line each. */
export function writeStructure(path: string, { detector, plan, provenance }: PrunedStructure): void {
  const { widths, threshold, kept } = plan
  const text = JSON.stringify({ format: FORMAT, detector, widths, threshold, kept, provenance }, null, 2)
  writeAtomically(path, `${text.replace(/\[\n[\d\s.,]+\]/g, onOneLine)}\n`)
}

const onOneLine = (list: string) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']')

/**
 * Reads a pruned structure and checks that it fits the architecture that it names.
 *
 * @throws Error naming the file and the key, what was expected and what was found
 */
export function readStructure(path: string): PrunedStructure {
  const fail = (key: string, problem: string): never => {
    throw new Error(
      `${path}: not a pruned structure: at "${key}": ${problem}; write it again with writeStructure`,
    )
  }
  const document = readDocument(path, documentSchema, {
    what: 'a pruned structure',
    advice: 'write it again with writeStructure',
  })
  const { detector, widths, threshold, kept, provenance } = document
  const groups = maskGroups(detector)
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
  const counted: BackboneWidths = widthsOf(new Map(groups.map(({ name }) => [name, kept[name]!.length])))
  for (const key of ['in', 'out', 'mid'] as const) {
    if (widths[key].join() !== counted[key].join()) {
      fail(
        `widths.${key}`,
        `expected [${counted[key]}], the numbers of channels kept, found [${widths[key]}]`,
      )
    }
  }
  const config = { ...detector, backbone: counted }
  return { detector, plan: { kept, threshold, widths: counted, config }, provenance }
}
