import type { Crop } from '../data'

/** The part of a frame that a profile looks at. @throws Error where the profile looks at all of it */
export function profileCrop(name: string): Crop {
  const { loadProfile } = require('../study') as typeof import('../study')
  const { crop } = loadProfile(name)
  if (!crop) throw new Error(`--profile ${name}: expected a profile with a crop, found none; leave it out`)
  return crop
}
