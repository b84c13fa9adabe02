import type { Random } from '../../base'
import type { Town } from './style'

/** The plan of a straight street; x in metres from the camera, which is in one of the lanes. */
export interface Street {
  readonly lanes: readonly { readonly x: number; readonly away: boolean }[]
  /** The kerbs. */
  readonly left: number
  readonly right: number
  /** The fronts of the houses. */
  readonly leftFront: number
  readonly rightFront: number
  /** Positions x of parked cars; empty where parking is forbidden. */
  readonly parking: readonly { readonly x: number; readonly away: boolean }[]
  /** Distance of a zebra crossing, if there is one. */
  readonly crossing: number | undefined
}

const LANE = 3.3

export function sampleStreet(random: Random, town: Town): Street {
  const ours = 1 + random.integer(2)
  const theirs = 1 + random.integer(2)
  const own = random.integer(ours)
  const side = town.traffic
  const lanes: { x: number; away: boolean }[] = []
  // Counted from the kerb on our side: lane 0 is next to it.
  for (let i = 0; i < ours; i++) lanes.push({ x: side * (own - i) * LANE, away: true })
  for (let i = 0; i < theirs; i++) lanes.push({ x: side * (own - ours - i) * LANE, away: false })
  const parkNear = random.chance(0.55)
  const parkFar = random.chance(0.55)
  const near = (own + 0.5) * LANE + (parkNear ? 2.3 : 0.3)
  const far = (own - ours - theirs + 0.5) * LANE - (parkFar ? 2.3 : 0.3)
  const pavementNear = random.uniform(2.5, 5.5)
  const pavementFar = random.uniform(2.5, 5.5)
  const kerbs = [side * near, side * far]
  const fronts = [side * (near + pavementNear), side * (far - pavementFar)]
  const parking: { x: number; away: boolean }[] = []
  if (parkNear) parking.push({ x: side * (near - 1.15), away: true })
  if (parkFar) parking.push({ x: side * (far + 1.15), away: false })
  return {
    lanes,
    left: Math.min(...kerbs),
    right: Math.max(...kerbs),
    leftFront: Math.min(...fronts),
    rightFront: Math.max(...fronts),
    parking,
    crossing: random.chance(0.35) ? random.uniform(9, 26) : undefined,
  }
}
