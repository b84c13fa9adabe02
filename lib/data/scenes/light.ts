import type { Random } from '../../base'
import { pack, type Rgb } from './raster'
import type { Town, Weather } from './style'

export type Hour = 'day' | 'dusk' | 'night'

/** Hour and weather of a scene as the painter needs them. Light is a factor on a surface's colour. */
export interface Light {
  readonly hour: Hour
  readonly weather: Weather
  readonly ambient: Rgb
  readonly sun: Rgb
  /** Towards the sun, unit length. */
  readonly sunX: number
  readonly sunY: number
  readonly sunZ: number
  /** Light of the camera car's headlights on near things, and the distance in metres at which it has halved. */
  readonly headlight: number
  readonly headlightReach: number
  readonly fogColour: Rgb
  /** Distance in metres at which half of a surface's colour has become fog. */
  readonly fogDistance: number
  readonly skyTop: Rgb
  readonly skyBottom: Rgb
  /** Whether street lamps, headlights and some windows are lit. */
  readonly lamps: boolean
  readonly shadow: number
}

/** Draws hour and weather; `difficulty` makes darkness, fog and rain more frequent. */
export function sampleLight(random: Random, town: Town, difficulty: number): Light {
  const dark = random.next()
  const night = 0.09 + 0.3 * difficulty
  const dusk = 0.12 + 0.2 * difficulty
  const hour: Hour = dark < night ? 'night' : dark < night + dusk ? 'dusk' : 'day'
  const weather = sampleWeather(random, town, difficulty)
  const level = random.uniform(0.88, 1.08)
  const wet = weather === 'rain' || weather === 'fog' || weather === 'overcast'
  const tint = random.uniform(-0.05, 0.05)

  const sky = SKIES[hour][wet ? 'grey' : 'clear']
  const air = mix(sky.bottom, town.haze, hour === 'night' ? 0.04 : 0.45)
  const x = random.uniform(-0.8, 0.8)
  const y = random.uniform(0.35, 1)
  const z = random.uniform(-0.9, 0.5)
  const length = Math.sqrt(x * x + y * y + z * z)
  const sunlight = wet ? sky.sun.map((v) => v * 0.2) : sky.sun
  return {
    hour,
    weather,
    ambient: [
      sky.ambient[0] * level * (1 + tint),
      sky.ambient[1] * level,
      sky.ambient[2] * level * (1 - tint),
    ],
    sun: [sunlight[0]! * level, sunlight[1]! * level, sunlight[2]! * level],
    sunX: x / length,
    sunY: y / length,
    sunZ: z / length,
    headlight: hour === 'night' ? random.uniform(0.2, 0.45) : hour === 'dusk' ? 0.1 : 0,
    headlightReach: random.uniform(12, 22),
    fogColour: air,
    fogDistance:
      weather === 'fog'
        ? random.uniform(28, 60) * (1.2 - 0.7 * difficulty)
        : weather === 'rain'
          ? random.uniform(110, 200)
          : random.uniform(350, 700),
    skyTop: sky.top,
    skyBottom: weather === 'fog' ? air : sky.bottom,
    lamps: hour !== 'day',
    shadow: hour === 'night' ? 0.3 : wet ? 0.22 : 0.33,
  }
}

function sampleWeather(random: Random, town: Town, difficulty: number): Weather {
  const worse = 0.6 + 1.6 * difficulty
  const { clear, overcast, rain, fog } = town.weather
  let u = random.next() * (clear + overcast + (rain + fog) * worse)
  u -= clear
  if (u < 0) return 'clear'
  u -= overcast
  if (u < 0) return 'overcast'
  return u < rain * worse ? 'rain' : 'fog'
}

interface Sky {
  readonly top: Rgb
  readonly bottom: Rgb
  readonly ambient: Rgb
  readonly sun: Rgb
}

const SKIES: Readonly<Record<Hour, Readonly<Record<'clear' | 'grey', Sky>>>> = {
  day: {
    clear: {
      top: [86, 138, 206],
      bottom: [196, 218, 236],
      ambient: [0.6, 0.63, 0.68],
      sun: [0.52, 0.48, 0.42],
    },
    grey: {
      top: [160, 168, 178],
      bottom: [208, 212, 216],
      ambient: [0.74, 0.76, 0.78],
      sun: [0.5, 0.5, 0.5],
    },
  },
  dusk: {
    clear: { top: [58, 66, 116], bottom: [238, 160, 96], ambient: [0.4, 0.36, 0.4], sun: [0.36, 0.22, 0.1] },
    grey: { top: [74, 78, 98], bottom: [150, 136, 136], ambient: [0.42, 0.4, 0.42], sun: [0.2, 0.16, 0.12] },
  },
  night: {
    clear: { top: [8, 11, 26], bottom: [30, 34, 58], ambient: [0.2, 0.2, 0.25], sun: [0.05, 0.05, 0.07] },
    grey: { top: [16, 17, 24], bottom: [44, 42, 46], ambient: [0.22, 0.2, 0.2], sun: [0.05, 0.05, 0.05] },
  },
}

/** Mixes a with a fraction t of b. */
export function mix(a: Rgb, b: Rgb, t: number): Rgb {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

/** The colour of a surface under the scene's light, seen through `distance` metres of air. */
export function shade(
  light: Light,
  colour: Rgb,
  ambient: number,
  sun: number,
  glow: number,
  distance: number,
): number {
  const near = distance / light.headlightReach
  const head = light.headlight / (1 + near * near)
  const haze = distance / (distance + light.fogDistance)
  const fog = glow > 0 ? haze * (1 - 0.6 * glow) : haze
  const keep = 1 - fog
  const [r, g, b] = colour
  const kr = (1 - glow) * (light.ambient[0] * ambient + light.sun[0] * sun + head) + glow
  const kg = (1 - glow) * (light.ambient[1] * ambient + light.sun[1] * sun + head) + glow
  const kb = (1 - glow) * (light.ambient[2] * ambient + light.sun[2] * sun + head * 0.85) + glow
  const air = light.fogColour
  return pack(r * kr * keep + air[0] * fog, g * kg * keep + air[1] * fog, b * kb * keep + air[2] * fog)
}
