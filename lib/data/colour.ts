/**
 * A change of colour on RGB values in 0 .. 1: a linear map, then optionally hue and saturation in HSV, then a
 * second linear map; the result is clamped to 0 .. 1. A linear map is 3 rows of [r, g, b, constant].
 */
export interface Colour {
  readonly linear: Float64Array
  readonly hsv?: {
    /** Factor of the saturation. */
    readonly saturation: number
    /** Rotation of the hue, in degrees. */
    readonly hue: number
    readonly after: Float64Array
  }
}

/** v -> gain * v + offset in every channel. */
export function gain(factor: number, offset = 0): Float64Array {
  return Float64Array.of(factor, 0, 0, offset, 0, factor, 0, offset, 0, 0, factor, offset)
}

/** `first`, then `second`. */
export function chain(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(12)
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 4; column++) {
      let sum = column === 3 ? second[row * 4 + 3]! : 0
      for (let k = 0; k < 3; k++) sum += second[row * 4 + k]! * first[k * 4 + column]!
      both[row * 4 + column] = sum
    }
  }
  return both
}

/** Channel i of the result is channel order[i] of the input. */
export function reorder(order: readonly number[]): Float64Array {
  const map = new Float64Array(12)
  order.forEach((from, to) => {
    map[to * 4 + from] = 1
  })
  return map
}

// Luma of ITU-R BT.601, the Y of YIQ.
const LUMA = [0.299, 0.587, 0.114] as const

/** Moves colours towards (factor < 1) or away from their grey of equal luma: v -> luma + factor * (v - luma). */
export function saturate(factor: number): Float64Array {
  const map = new Float64Array(12)
  for (let row = 0; row < 3; row++) {
    for (let k = 0; k < 3; k++) map[row * 4 + k] = (1 - factor) * LUMA[k]! + (row === k ? factor : 0)
  }
  return map
}

/**
 * Rotates the hue by an angle in degrees: a rotation about the grey axis (1, 1, 1) (Rodrigues' formula), positive
 * from red towards green. It is linear, so it costs nothing on top of the other linear changes.
 */
export function turnHue(degrees: number): Float64Array {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  const same = cos + (1 - cos) / 3
  const next = (1 - cos) / 3 + sin / Math.sqrt(3)
  const previous = (1 - cos) / 3 - sin / Math.sqrt(3)
  return Float64Array.of(same, previous, next, 0, next, same, previous, 0, previous, next, same, 0)
}

/** Applies a change of colour in place to values[from .. to), RGB triples in 0 .. 1. */
export function applyColour(values: Float32Array, from: number, to: number, colour: Colour): void {
  applyLinear(values, from, to, colour.linear, colour.hsv === undefined)
  if (colour.hsv === undefined) return
  applyHsv(values, from, to, colour.hsv.saturation, colour.hsv.hue)
  applyLinear(values, from, to, colour.hsv.after, true)
}

function applyLinear(values: Float32Array, from: number, to: number, map: Float64Array, clamp: boolean) {
  const [rr, rg, rb, r0] = [map[0]!, map[1]!, map[2]!, map[3]!]
  const [gr, gg, gb, g0] = [map[4]!, map[5]!, map[6]!, map[7]!]
  const [br, bg, bb, b0] = [map[8]!, map[9]!, map[10]!, map[11]!]
  // Clamped in the same pass, and without branches: colours are too varied for them to be predicted.
  const [least, most] = clamp ? [0, 1] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let i = from; i < to; i += 3) {
    const r = values[i]!
    const g = values[i + 1]!
    const b = values[i + 2]!
    values[i] = Math.min(most, Math.max(least, rr * r + rg * g + rb * b + r0))
    values[i + 1] = Math.min(most, Math.max(least, gr * r + gg * g + gb * b + g0))
    values[i + 2] = Math.min(most, Math.max(least, br * r + bg * g + bb * b + b0))
  }
}

/**
 * Multiplies the saturation, then rotates the hue. With V = max, scaling S = (V - min) / V at constant V and hue is
 * c -> V - factor * (V - c); the hue is converted back to RGB by
 * c_n = V - D * clamp(min(k, 4 - k), 0, 1), k = (n + H / 60) mod 6, n = 5, 3, 1 for R, G, B, D = V - min.
 */
function applyHsv(values: Float32Array, from: number, to: number, saturation: number, hue: number) {
  for (let i = from; i < to; i += 3) {
    const r = values[i]!
    const g = values[i + 1]!
    const b = values[i + 2]!
    const v = r > g ? (r > b ? r : b) : g > b ? g : b
    const least = r < g ? (r < b ? r : b) : g < b ? g : b
    const spread = v - least
    if (spread === 0) continue
    let sextant = v === r ? (g - b) / spread : v === g ? 2 + (b - r) / spread : 4 + (r - g) / spread
    sextant += hue / 60 + 6
    const d = spread * saturation
    for (let c = 0; c < 3; c++) {
      const k = (5 - 2 * c + sextant) % 6
      const edge = k < 4 - k ? k : 4 - k
      values[i + c] = v - d * (edge < 0 ? 0 : edge > 1 ? 1 : edge)
    }
  }
}
