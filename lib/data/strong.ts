/** A second, stronger look of a view: other colours, blur, noise and cut-out patches, with every pixel in place. */
import { z } from 'zod'
import type { Random } from '../base'
import { drawLinear } from './augment'
import { applyColour, saturate } from './colour'

const probability = z.number().min(0).max(1)
const range = (least: number) =>
  z
    .tuple([z.number().min(least), z.number().min(least)])
    .refine(([low, high]) => low <= high, 'expected [low, high] with low <= high')

/** Changes, applied in this order; `false` switches one off. Defaults roughly follow Unbiased Teacher (Liu 2021). */
export const strongSchema = z
  .object({
    /** Linear colour changes, each amount uniform in [-x, x]; like `colour` of the augmentation, which is applied first. */
    colour: z
      .object({
        brightness: z.number().min(0).max(1).default(0.2),
        contrast: z.number().min(0).max(1).default(0.4),
        saturation: z.number().min(0).max(1).default(0.4),
        hue: z.number().min(0).max(180).default(18),
      })
      .strict()
      .or(z.literal(false))
      .default({}),
    /** Probability that the image becomes grey. */
    grey: probability.default(0.1),
    /** Gaussian blur; standard deviation in pixels of the input. */
    blur: z
      .object({ probability: probability.default(0.5), deviation: range(0).default([0.1, 1.5]) })
      .strict()
      .or(z.literal(false))
      .default({}),
    /** Gaussian noise in every channel; standard deviation as a fraction of full scale. */
    noise: z
      .object({ probability: probability.default(0.5), deviation: range(0).default([0, 0.05]) })
      .strict()
      .or(z.literal(false))
      .default({}),
    /** Uniform grey rectangles: 0 .. `most` of them, with sides as fractions of the input's. */
    cutouts: z
      .object({ most: z.number().int().min(1).default(3), side: range(0).default([0.05, 0.25]) })
      .strict()
      .or(z.literal(false))
      .default({}),
  })
  .strict()

/** The stronger view of an image: chances and limits of its changes; what is left out has a default. */
export type StrongOptions = z.input<typeof strongSchema>
export type StrongLook = z.output<typeof strongSchema>

interface Image {
  /** RGB in 0 .. 1, [height, width, 3]. */
  readonly values: Float32Array
  readonly height: number
  readonly width: number
}

/** Changes the look of an image in place. The same `random` stream gives the same look. */
export function applyStrong(random: Random, image: Image, options: StrongLook): void {
  const { values } = image
  if (options.colour) applyColour(values, 0, values.length, { linear: drawLinear(random, options.colour) })
  if (random.chance(options.grey)) applyColour(values, 0, values.length, { linear: saturate(0) })
  if (options.blur && random.chance(options.blur.probability))
    blur(image, random.uniform(...options.blur.deviation))
  if (options.noise && random.chance(options.noise.probability)) {
    const deviation = random.uniform(...options.noise.deviation)
    for (let i = 0; i < values.length; i++)
      values[i] = Math.min(1, Math.max(0, values[i]! + deviation * random.normal()))
  }
  if (options.cutouts) {
    const { most, side } = options.cutouts
    for (let left = random.integer(most + 1); left > 0; left--) cutOut(random, image, side)
  }
}

/** A uniform grey rectangle around a random point, clipped to the image. */
function cutOut(random: Random, { values, height, width }: Image, side: readonly [number, number]): void {
  const span = (size: number): [number, number] => {
    const half = (random.uniform(...side) * size) / 2
    const centre = random.uniform(0, size)
    return [Math.max(0, Math.round(centre - half)), Math.min(size, Math.round(centre + half))]
  }
  const [left, right] = span(width)
  const [top, bottom] = span(height)
  const grey = random.next()
  for (let row = top; row < bottom; row++) {
    const start = row * width * 3
    values.fill(grey, start + left * 3, start + right * 3)
  }
}

/**
 * Gaussian blur in place, first along the rows and then along the columns: weights exp(-x^2 / (2 d^2)) at integer x up to
 * 3 d (rounded up), divided by their sum; pixels beyond the border repeat the border.
 *
 * @param deviation d in pixels; 0 leaves the image unchanged
 */
export function blur({ values, height, width }: Image, deviation: number): void {
  const radius = Math.ceil(3 * deviation)
  if (radius === 0) return
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * deviation ** 2)),
  )
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const along = (count: number, stride: number, start: number, line: Float32Array) => {
    for (let i = 0; i < count; i++) line[i] = values[start + i * stride]!
    for (let i = 0; i < count; i++) {
      let value = 0
      for (let k = -radius; k <= radius; k++)
        value += weights[k + radius]! * line[Math.min(count - 1, Math.max(0, i + k))]!
      values[start + i * stride] = value / sum
    }
  }
  const [row, column] = [new Float32Array(width), new Float32Array(height)]
  for (let y = 0; y < height; y++) for (let c = 0; c < 3; c++) along(width, 3, y * width * 3 + c, row)
  for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) along(height, width * 3, x * 3 + c, column)
}
