import type { Random } from '../../base'
import type { RgbImage } from '../types'
import type { Light } from './light'
import type { Painter } from './painter'
import type { Raster, Rgb } from './raster'

/** Effects of lens and sensor on an image. Lengths are in pixels of the 1920x1080 frame. */
export interface Exposure {
  readonly blur: number
  readonly gain: number
  readonly contrast: number
  readonly saturation: number
  /** Standard deviation of the noise, in steps of 0 .. 255. */
  readonly noise: number
  readonly seed: number
}

export function sampleExposure(random: Random, light: Light, difficulty: number): Exposure {
  const dark = light.hour === 'night' ? 1 : light.hour === 'dusk' ? 0.5 : 0
  const strong = random.chance(0.08 + 0.25 * difficulty)
  return {
    blur: strong ? random.uniform(4, 9) : random.uniform(0, 3.5),
    gain: random.uniform(0.86, 1.14) + 0.25 * dark,
    contrast: random.uniform(0.82, 1.12) * (light.weather === 'fog' ? 0.9 : 1),
    saturation: random.uniform(0.6, 1.15),
    noise: random.uniform(1, 3) + random.uniform(1, 5) * dark + 7 * difficulty * random.next(),
    seed: random.integer(2147483647),
  }
}

/** Drops in the air: short bright streaks, all at nearly the same slant. */
export function paintRain(painter: Painter, random: Random): void {
  const slant = random.uniform(-0.25, 0.25)
  const count = 90 + random.integer(160)
  const colour: Rgb = painter.light.hour === 'night' ? [130, 134, 146] : [214, 218, 224]
  for (let i = 0; i < count; i++) {
    const x = random.uniform(-40, 1960)
    const y = random.uniform(0, 1080)
    const length = random.uniform(25, 95)
    const w = random.uniform(1.6, 4)
    painter.overlay(
      [
        [x, y],
        [x + w, y],
        [x + w + slant * length, y + length],
        [x + slant * length, y + length],
      ],
      colour,
      60 + random.integer(50),
    )
  }
}

/**
 * Averages each 2x2 block of the raster, blurs, grades the colours and adds the sensor's noise.
 *
 * @param firstRow first row of the result in the whole frame, in pixels of the result
 */
export function develop(raster: Raster, exposure: Exposure, scale: number, firstRow: number): RgbImage {
  const width = raster.width / 2
  const height = raster.height / 2
  const sharp = reduce(raster, width, height)
  const planes = blur(sharp, width, height, exposure.blur * scale)
  const { gain, contrast, saturation, noise } = exposure
  const pixels = new Uint8Array(3 * width * height)
  const offset = 128 - 128 * contrast
  const slope = gain * contrast
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p += 3) {
      const r = planes[p]!
      const g = planes[p + 1]!
      const b = planes[p + 2]!
      const grey = 0.3 * r + 0.59 * g + 0.11 * b
      const bits = scramble(exposure.seed, x, y + firstRow)
      const more = scramble(exposure.seed + 1, x, y + firstRow)
      // The sum of four bytes is close to normal: mean 510, standard deviation 147.8.
      const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24)
      const grain = ((sum - 510) / 147.8) * noise
      const tint = noise / 150
      pixels[p] = clamp(
        (grey + (r - grey) * saturation) * slope + offset + grain + ((more & 255) - 127.5) * tint,
      )
      pixels[p + 1] = clamp(
        (grey + (g - grey) * saturation) * slope + offset + grain + (((more >>> 8) & 255) - 127.5) * tint,
      )
      pixels[p + 2] = clamp(
        (grey + (b - grey) * saturation) * slope + offset + grain + (((more >>> 16) & 255) - 127.5) * tint,
      )
    }
  }
  return { width, height, pixels }
}

function clamp(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.floor(value + 0.5)
}

function reduce(raster: Raster, width: number, height: number): Float32Array {
  const { colours } = raster
  const planes = new Float32Array(3 * width * height)
  for (let y = 0, p = 0; y < height; y++) {
    let q = 2 * y * raster.width
    for (let x = 0; x < width; x++, p += 3, q += 2) {
      const a = colours[q]!
      const b = colours[q + 1]!
      const c = colours[q + raster.width]!
      const d = colours[q + raster.width + 1]!
      planes[p] = ((a & 255) + (b & 255) + (c & 255) + (d & 255)) / 4
      planes[p + 1] = (((a >> 8) & 255) + ((b >> 8) & 255) + ((c >> 8) & 255) + ((d >> 8) & 255)) / 4
      planes[p + 2] = (((a >> 16) & 255) + ((b >> 16) & 255) + ((c >> 16) & 255) + ((d >> 16) & 255)) / 4
    }
  }
  return planes
}

/** A box of width 1 + 2 * radius, its ends weighted by the fraction; first along rows, then along columns. */
function blur(image: Float32Array, width: number, height: number, radius: number): Float32Array {
  if (radius < 0.02) return image
  const across = new Float32Array(image.length)
  const result = new Float32Array(image.length)
  smooth(image, across, width, height, 3, 3 * width, radius)
  smooth(across, result, height, width, 3 * width, 3, radius)
  return result
}

function smooth(
  from: Float32Array,
  to: Float32Array,
  length: number,
  lines: number,
  step: number,
  line: number,
  radius: number,
): void {
  const whole = Math.floor(radius)
  const edge = radius - whole
  const total = 1 / (1 + 2 * radius)
  for (let l = 0; l < lines; l++) {
    for (let i = 0; i < length; i++) {
      for (let c = 0; c < 3; c++) {
        const start = l * line + c
        let sum = from[start + i * step]!
        for (let k = 1; k <= whole; k++) {
          sum += from[start + Math.max(0, i - k) * step]! + from[start + Math.min(length - 1, i + k) * step]!
        }
        const before = from[start + Math.max(0, i - whole - 1) * step]!
        const after = from[start + Math.min(length - 1, i + whole + 1) * step]!
        to[start + i * step] = (sum + edge * (before + after)) * total
      }
    }
  }
}

/** 32 well mixed bits for a pixel. */
function scramble(seed: number, x: number, y: number): number {
  let h = (seed ^ Math.imul(x + 1, 0x9e3779b1) ^ Math.imul(y + 1, 0x85ebca77)) | 0
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}
