/** A network's body as whoever writes or computes it is told: step by step, with the values that are rounded to eight bits. */
import type { Activation } from '../detector'
import type { Grid, Grids } from './grids'
import { type Convolution, IMAGES, type Plan, type Pool, type Step } from './plan'

/** A step of a kind. */
export type Of<K extends Step['kind']> = Step & { readonly kind: K }

/** What writes or computes a network's operations; T is a value in the file, or a tensor: one map of each image. */
export interface BodyFormat<T> {
  /** Convolution and bias, without the activation; in float where `rounding` is absent. */
  conv(x: T, step: Convolution, rounding?: Rounding): T
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
  /** Whether a convolution's values are rounded in front of their activation too, and its bias to 32 bits. */
  readonly quantisesInFront: boolean
  /** Whether values that were only moved are rounded to the same grid again, which a runtime then leaves out. */
  readonly quantisesMoved: boolean
}

/** How a convolution is rounded: its kernel to eight bits, and its bias where its steps are known. */
export interface Rounding {
  /** Of the values that come in: a bias is a multiple of this times the kernel's scale. */
  readonly inputScale?: number
}

/** Writes the network; gives the logits of every scale, in float. */
export function writeBody<T>(format: BodyFormat<T>, plan: Plan, images: T, grids?: Grids): T[] {
  return plan.outputs.map(runBody(format, plan, images, grids))
}

/** The same; gives every step's value by its number. */
export function runBody<T>(format: BodyFormat<T>, plan: Plan, images: T, grids?: Grids): (step: number) => T {
  const body = new Body(format, grids)
  const values: Held<T>[] = []
  const at = (value: number): Held<T> => (value === IMAGES ? input : values[value]!)
  const input = body.rounded(images, 'images')
  plan.steps.forEach((step, i) => {
    values.push(body.write(step, step.from.map(at), isQuantised(plan, i, grids)))
  })
  return (step) => at(step).value
}

/** The convolutions that give the logits stay in float, unless asked: they cost 1.3 to 1.9 points of AP otherwise. */
function isQuantised({ outputs }: Plan, step: number, grids: Grids | undefined): boolean {
  return grids !== undefined && (grids.head || !outputs.includes(step))
}

/** A value, and the grid on which it lies. */
interface Held<T> {
  readonly value: T
  readonly grid?: Grid
}

class Body<T> {
  constructor(
    private readonly format: BodyFormat<T>,
    private readonly grids: Grids | undefined,
  ) {}

  write(step: Step, from: readonly Held<T>[], quantised: boolean): Held<T> {
    const { format } = this
    const [{ value: x }] = from as [Held<T>]
    switch (step.kind) {
      case 'conv':
        return this.convolution(step, from[0]!, quantised)
      case 'add':
        return this.rounded(format.residual(x, from[1]!.value, step), step.name)
      case 'concat': {
        const values = from.map(({ value }) => value)
        return this.rounded(format.concat(values, step), step.name)
      }
      case 'activate':
        return this.rounded(format.activate(x, step.activation, step.name), step.name)
      case 'slice':
        return this.moved(format.slice(x, step), step, from[0]!)
      case 'widen':
        return this.moved(format.widen(x, step), step, from[0]!)
      case 'depthToSpace':
        return this.moved(format.depthToSpace(x, step), step, from[0]!)
      case 'nearest':
        return this.moved(format.nearest(x, step), step, from[0]!)
      case 'maxPool':
        return this.moved(format.maxPool(x, step), step, from[0]!)
    }
  }

  /** Rounded where the name has a grid. */
  rounded(value: T, name: string): Held<T> {
    const grid = this.grids?.activations.get(name)
    return grid ? { value: this.format.quantise(value, grid, name), grid } : { value }
  }

  private convolution(step: Convolution, { value: x, grid }: Held<T>, quantised: boolean): Held<T> {
    const { format } = this
    const { name, activation } = step
    const inputScale = format.quantisesInFront ? grid?.scale : undefined
    const sum = format.conv(x, step, quantised ? { inputScale } : undefined)
    if (activation === 'linear') return quantised ? this.rounded(sum, name) : { value: sum }
    const inside = format.quantisesInFront ? this.rounded(sum, inFront(name)).value : sum
    return this.rounded(format.activate(inside, activation, name), name)
  }

  /** On the grid on which it was. */
  private moved(value: T, { name }: Step, { grid }: Held<T>): Held<T> {
    if (!grid) return { value }
    return { value: this.format.quantisesMoved ? this.format.quantise(value, grid, name) : value, grid }
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
