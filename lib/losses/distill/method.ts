import { z } from 'zod'
import { parseDocument, type Random } from '../../base'
import type { DetectorOutput, HeadConfig } from '../../detector'
import type { LossResult } from '../types'
import type { DistillationConfig, Variables } from './types'

/** The values of a method's options. */
type Values<Shape extends z.ZodRawShape> = Readonly<z.output<z.ZodObject<Shape>>>

/** Keys of a term beside the options of its method; the combination handles them, not the loss. */
interface TermKeys {
  readonly method?: unknown
  readonly weight?: unknown
  readonly schedule?: unknown
  readonly scales?: unknown
  readonly features?: unknown
}

/** The published lambda, and the value of every option. */
export type PublishedValues<Shape extends z.ZodRawShape> = { readonly weight: number } & Values<Shape>

/** A distillation method: everything the rest of the library knows about it. */
export interface Method<Name extends string = string, Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** Its position in the list, from 1. */
  readonly number: number
  readonly name: Name
  /** Defaults for what a term leaves out. */
  readonly published: PublishedValues<Shape>
  /** Its options, as a term of a profile or sweep may give them; an unknown key is an error. */
  readonly options: z.ZodObject<{ [Key in keyof Shape]: z.ZodOptional<Shape[Key]> }, 'strict'>
  /** The parts of a forward pass that it compares. */
  readonly needs: readonly ('outputs' | 'features')[]
  /** Initial values of variables trained along with it; the caller owns the tensors. */
  readonly variables?: (
    student: Pick<HeadConfig, 'featureWidths'>,
    teacher: Pick<HeadConfig, 'featureWidths'>,
    random: Random,
  ) => Variables
  /**
   * The loss before lambda. The teacher is a constant: no gradient flows into it.
   *
   * @param options its own, or a whole term, from which it takes its own
   * @param variables by the names in `variables`; empty if it has none
   * @throws Error naming the wrong option, or both shapes if student and teacher do not fit
   */
  loss(
    student: DetectorOutput,
    teacher: DetectorOutput,
    config: DistillationConfig,
    options?: Partial<Values<Shape>> & TermKeys,
    variables?: Variables,
  ): LossResult
}

interface Definition<Name extends string, Shape extends z.ZodRawShape>
  extends Pick<Method<Name, Shape>, 'number' | 'name' | 'published' | 'needs' | 'variables'> {
  /** The options, all required: `published` has a value for each. */
  readonly options: Shape
  loss(
    student: DetectorOutput,
    teacher: DetectorOutput,
    config: DistillationConfig,
    options: Values<Shape>,
    variables: Variables,
  ): LossResult
}

const termKeys = {
  method: z.unknown(),
  weight: z.unknown(),
  schedule: z.unknown(),
  scales: z.unknown(),
  features: z.unknown(),
}

/** Builds a method from its parts; checks options and fills in defaults before its loss sees them. */
export function defineMethod<Name extends string, Shape extends z.ZodRawShape>(
  definition: Definition<Name, Shape>,
): Method<Name, Shape> {
  const { name, published, options: shape } = definition
  const complete = z.object({ ...shape, ...termKeys }).strict()
  return {
    ...definition,
    options: z.object(shape).partial().strict(),
    loss(student, teacher, config, options = {}, variables = new Map()) {
      const given = Object.entries(options).filter(([, value]) => value !== undefined)
      const values = { ...published, ...Object.fromEntries(given) }
      const resolved = parseDocument(values, complete, `${name} options`) as Values<Shape>
      return definition.loss(student, teacher, config, resolved, variables)
    },
  }
}

/**
 * The options of methods that compare softmax distributions: T in softmax(logits / T), and whether the loss is multiplied by
 * T^2, so that the gradient keeps its size when T grows (Hinton et al. 2015, section 2.1).
 */
export const softmaxOptions = {
  temperature: z.number().positive(),
  scaleByTemperatureSquared: z.boolean(),
}
