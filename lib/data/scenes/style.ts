import type { Rgb } from './raster'

/** The classes of the street scenes, in the order of their labels. */
export const SCENE_CLASSES = [
  'car',
  'bus',
  'truck',
  'pedestrian',
  'cyclist',
  'motorbike',
  'light',
  'sign',
] as const

/** A class of rendered objects. */
export type SceneClass = (typeof SCENE_CLASSES)[number]

/** `default` is the town of the training images; `shifted` is another town, for a test under a shift. */
export type SceneStyle = 'default' | 'shifted'

export type Weather = 'clear' | 'overcast' | 'rain' | 'fog'

/** The features that make one town look unlike another. */
export interface Town {
  /** +1: traffic keeps to the right; -1: to the left. */
  readonly traffic: 1 | -1
  readonly weather: Readonly<Record<Weather, number>>
  readonly carColours: readonly Rgb[]
  readonly busColours: readonly Rgb[]
  readonly cargoColours: readonly Rgb[]
  readonly clothes: readonly Rgb[]
  readonly facades: readonly Rgb[]
  readonly asphalt: readonly Rgb[]
  readonly pavement: readonly Rgb[]
  readonly ground: readonly Rgb[]
  readonly foliage: readonly Rgb[]
  readonly haze: Rgb
  /** Metres: height of storeys, width of houses. */
  readonly storey: number
  readonly houseWidth: readonly [number, number]
  readonly storeys: readonly [number, number]
  /** Probability of a pitched roof, and of a gap between two houses. */
  readonly gable: number
  readonly gap: number
  /** Length and height of vehicles relative to the default town's. */
  readonly vehicleLength: number
  readonly vehicleHeight: number
  readonly doubleDecker: number
  readonly horizontalLights: number
  readonly lightHousing: Rgb
  readonly lightPlate: boolean
  /** Weights of the sign faces: ban, order, warning, yield, stop, square, diamond. */
  readonly signs: readonly number[]
}

/** Colours as in CSS, with blanks between; one that is there twice is taken twice as often. */
const palette = (colours: string): Rgb[] =>
  colours.split(' ').map((colour) => {
    const value = Number.parseInt(colour.slice(1), 16)
    return [value >> 16, (value >> 8) & 255, value & 255]
  })

const TOWNS: Readonly<Record<SceneStyle, Town>> = {
  default: {
    traffic: 1,
    weather: { clear: 0.5, overcast: 0.28, rain: 0.14, fog: 0.08 },
    carColours: palette(
      '#e8e8e6 #e8e8e6 #26262a #26262a #787c82 #acb0b4 #ac1c1e #223e82 #3c6096 #701a22 #20503a #bea06e #ce781e',
    ),
    busColours: palette('#c42824 #e4b428 #1e60a0 #288254 #e2e4e2 #dc6e28'),
    cargoColours: palette('#e8e8e6 #e8e8e6 #bec2c6 #3a5a8c #96322c #cebe96 #466e50'),
    clothes: palette('#242838 #1e1e22 #60282c #be3c32 #36588c #d2d2ce #566e46 #c8a03c #786456 #824678'),
    facades: palette('#b0a08a #965c4a #beb8ac #867e78 #c8ac82 #745448 #a0a8ac #cec4b0'),
    asphalt: palette('#545458 #626161 #484a50'),
    pavement: palette('#96928c #888684 #a49a8e'),
    ground: palette('#5c7042 #847e74'),
    foliage: palette('#3a5c2c #486c34 #58682e'),
    haze: [196, 204, 212],
    storey: 3.1,
    houseWidth: [7, 15],
    storeys: [2, 6],
    gable: 0.25,
    gap: 0.14,
    vehicleLength: 1,
    vehicleHeight: 1,
    doubleDecker: 0,
    horizontalLights: 0,
    lightHousing: [30, 32, 34],
    lightPlate: true,
    signs: [3, 2, 3, 1, 1, 2, 1],
  },
  shifted: {
    traffic: -1,
    weather: { clear: 0.3, overcast: 0.22, rain: 0.28, fog: 0.2 },
    carColours: palette('#e8e8e6 #ece2c8 #96c8c8 #d8c43c #c85a6e #5a965a #966eaa #464a46 #8c3c28'),
    busColours: palette('#961e50 #5aaaaa #f0ecdc #463c8c'),
    cargoColours: palette('#dec446 #5aa096 #e6e2d8 #aa5a3c #6e648c'),
    clothes: palette('#dcc8a0 #b45a28 #3c7878 #e6e6dc #c83c6e #323250 #788c3c'),
    facades: palette('#d8b278 #decca8 #c4845c #e0d6c8 #a8c4be #e2aa96'),
    asphalt: palette('#7c7268 #6c6864'),
    pavement: palette('#beaa8c #b0a08c'),
    ground: palette('#ac9668 #968c50'),
    foliage: palette('#6e7c32 #546e46 #966e32'),
    haze: [216, 204, 184],
    storey: 2.7,
    houseWidth: [4.5, 9],
    storeys: [1, 3],
    gable: 0.7,
    gap: 0.3,
    vehicleLength: 0.88,
    vehicleHeight: 1.1,
    doubleDecker: 0.35,
    horizontalLights: 0.4,
    lightHousing: [196, 160, 40],
    lightPlate: false,
    signs: [1, 1, 1, 1, 2, 2, 4],
  },
}

/** The town of a style; throws a RangeError for a style that does not exist. */
export function townOf(style: SceneStyle): Town {
  const town = TOWNS[style]
  if (town === undefined) {
    throw new RangeError(`style: expected one of ${Object.keys(TOWNS).join(', ')}, found ${String(style)}`)
  }
  return town
}
