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

const WHITE: Rgb = [232, 232, 230]
const BLACK: Rgb = [38, 38, 42]

const TOWNS: Readonly<Record<SceneStyle, Town>> = {
  default: {
    traffic: 1,
    weather: { clear: 0.5, overcast: 0.28, rain: 0.14, fog: 0.08 },
    carColours: [
      WHITE,
      WHITE,
      BLACK,
      BLACK,
      [120, 124, 130],
      [172, 176, 180],
      [172, 28, 30],
      [34, 62, 130],
      [60, 96, 150],
      [112, 26, 34],
      [32, 80, 58],
      [190, 160, 110],
      [206, 120, 30],
    ],
    busColours: [
      [196, 40, 36],
      [228, 180, 40],
      [30, 96, 160],
      [40, 130, 84],
      [226, 228, 226],
      [220, 110, 40],
    ],
    cargoColours: [
      WHITE,
      WHITE,
      [190, 194, 198],
      [58, 90, 140],
      [150, 50, 44],
      [206, 190, 150],
      [70, 110, 80],
    ],
    clothes: [
      [36, 40, 56],
      [30, 30, 34],
      [96, 40, 44],
      [190, 60, 50],
      [54, 88, 140],
      [210, 210, 206],
      [86, 110, 70],
      [200, 160, 60],
      [120, 100, 86],
      [130, 70, 120],
    ],
    facades: [
      [176, 160, 138],
      [150, 92, 74],
      [190, 184, 172],
      [134, 126, 120],
      [200, 172, 130],
      [116, 84, 72],
      [160, 168, 172],
      [206, 196, 176],
    ],
    asphalt: [
      [84, 84, 88],
      [98, 97, 97],
      [72, 74, 80],
    ],
    pavement: [
      [150, 146, 140],
      [136, 134, 132],
      [164, 154, 142],
    ],
    ground: [
      [92, 112, 66],
      [132, 126, 116],
    ],
    foliage: [
      [58, 92, 44],
      [72, 108, 52],
      [88, 104, 46],
    ],
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
    carColours: [
      WHITE,
      [236, 226, 200],
      [150, 200, 200],
      [216, 196, 60],
      [200, 90, 110],
      [90, 150, 90],
      [150, 110, 170],
      [70, 74, 70],
      [140, 60, 40],
    ],
    busColours: [
      [150, 30, 80],
      [90, 170, 170],
      [240, 236, 220],
      [70, 60, 140],
    ],
    cargoColours: [
      [222, 196, 70],
      [90, 160, 150],
      [230, 226, 216],
      [170, 90, 60],
      [110, 100, 140],
    ],
    clothes: [
      [220, 200, 160],
      [180, 90, 40],
      [60, 120, 120],
      [230, 230, 220],
      [200, 60, 110],
      [50, 50, 80],
      [120, 140, 60],
    ],
    facades: [
      [216, 178, 120],
      [222, 204, 168],
      [196, 132, 92],
      [224, 214, 200],
      [168, 196, 190],
      [226, 170, 150],
    ],
    asphalt: [
      [124, 114, 104],
      [108, 104, 100],
    ],
    pavement: [
      [190, 170, 140],
      [176, 160, 140],
    ],
    ground: [
      [172, 150, 104],
      [150, 140, 80],
    ],
    foliage: [
      [110, 124, 50],
      [84, 110, 70],
      [150, 110, 50],
    ],
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
