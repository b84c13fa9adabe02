/** A network's body as whoever writes or computes it is told: step by step, with the values that are rounded to eight bits. */
import type { Activation } from '../detector'
import type { Grid, Grids } from './grids'
import { type Convolution, IMAGES, type Plan, type Pool, type Step } from './plan'

/** A step of a kind. */
export type Of<K extends Step['kind']> = Step & { readonly kind: K }

/** What writes or computes a network's operations; T is a value in the file, or a tensor: one map of each image. */
export interface BodyFormat<T> {
  /** Convolution and bias, without the activation. */
  conv(x: T, step: Convolution, quantised: boolean): T
  activate(x: T, activation: Activation, name: string): T
  depthToSpace(x: T, step: Of<'depthToSpace'>): T
  nearest(x: T, step: Of<'nearest'>): T
  residual(a: T, b: T, step: Step): T
  concat(values: readonly T[], step: Step): T
  maxPool(x: T, step: Pool): T
  slice(x: T, step: Of<'slice'>): T
  widen(x: T, step: Of<'widen'>): T
  /** Rounds to the grid's 256 values. */
  quantise(x: T, grid: Grid, name: string): T
  /** Whether a convolution's values are rounded in front of their activation too. */
  readonly quantisesInFront: boolean
}

/** Writes the network; gives the logits of every scale, in float. */
export function writeBody<T>(format: BodyFormat<T>, plan: Plan, images: T, grids?: Grids): T[] {
  return plan.outputs.map(runBody(format, plan, images, grids))
}

/** The same; gives every step's value by its number. */
export function runBody<T>(format: BodyFormat<T>, plan: Plan, images: T, grids?: Grids): (step: number) => T {
  const values: T[] = []
  const at = (value: number): T => (value === IMAGES ? input : values[value]!)
  const round = (x: T, name: string): T => {
    const grid = grids?.activations.get(name)
    return grid ? format.quantise(x, grid, name) : x
  }
  const input = round(images, 'images')
  plan.steps.forEach((step, i) => {
    values.push(write(format, step, step.from.map(at), round, isQuantised(plan, i, grids)))
  })
  return at
}

/** The convolutions that give the logits stay in float, unless asked: they cost 1.3 to 1.9 points of AP otherwise. */
function isQuantised({ outputs }: Plan, step: number, grids: Grids | undefined): boolean {
  return grids !== undefined && (grids.head || !outputs.includes(step))
}

function write<T>(
  format: BodyFormat<T>,
  step: Step,
  from: readonly T[],
  round: (x: T, name: string) => T,
  quantised: boolean,
): T {
  const [x] = from as [T]
  switch (step.kind) {
    case 'conv': {
      const sum = format.conv(x, step, quantised)
      const { name, activation } = step
      if (activation === 'linear') return quantised ? round(sum, name) : sum
      const rounded = format.quantisesInFront ? round(sum, inFront(name)) : sum
      return round(format.activate(rounded, activation, name), name)
    }
    case 'add':
      return round(format.residual(x, from[1]!, step), step.name)
    case 'concat':
      return round(format.concat(from, step), step.name)
    case 'activate':
      return round(format.activate(x, step.activation, step.name), step.name)
    case 'slice':
      return format.slice(x, step)
    case 'widen':
      return format.widen(x, step)
    case 'depthToSpace':
      return format.depthToSpace(x, step)
    case 'nearest':
      return format.nearest(x, step)
    case 'maxPool':
      return format.maxPool(x, step)
  }
}

/** Name of the values in front of a convolution's activation. */
export const inFront = (name: string): string => `${name}/sum`

/** Names of the values that a quantised file rounds. */
export function activationNames({ steps }: Plan): string[] {
  return [
    'images',
    ...steps.flatMap((step) => {
      if (step.kind === 'add' || step.kind === 'concat' || step.kind === 'activate') return [step.name]
      if (step.kind !== 'conv') return []
      return step.activation === 'linear' ? [step.name] : [inFront(step.name), step.name]
    }),
  ]
}
