import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { DamagedError, sha256, warn, writeAtomically } from '../base'
import { decodeImage, encodePng, unreadable } from './images'
import { sceneOf } from './scene-files'
import type { RgbImage, Sample } from './types'

/** The part of a sample that locates and describes its image file. */
export type ImageSample = Pick<Sample, 'file' | 'digest' | 'orientation'>

/**
 * Decodes the image of a sample, turned according to its orientation. If the sample has the hash of the file's bytes, they are
 * checked against it first. A rendered scene that is damaged or missing is rendered again, with a warning.
 *
 * @throws DamagedError naming file, both hashes and the way on
 * @throws Error naming the file when it cannot be decoded
 */
export async function readSampleImage(sample: ImageSample): Promise<RgbImage> {
  const { file, orientation } = sample
  return decodeImage(await verifiedBytes(sample), file, { upright: orientation !== undefined })
}

async function verifiedBytes({ file, digest }: ImageSample): Promise<Buffer> {
  let bytes: Buffer | undefined
  let cause: unknown
  try {
    bytes = await readFile(file)
  } catch (error) {
    cause = error
  }
  const found = bytes && sha256(bytes)
  if (bytes && (digest === undefined || found === digest)) return bytes
  const again = digest === undefined ? undefined : await renderAgain(file)
  if (again === undefined && bytes === undefined) throw unreadable(file, cause)
  const problem = `${file}: expected SHA-256 ${digest}, found ${found ?? 'no readable file'}`
  if (again === undefined) {
    throw new DamagedError(
      problem,
      'the image has changed since the data set was read: restore it; or, if the change is intended, touch the file, and ' +
        'the folder is read as another data set',
    )
  }
  if (sha256(again) !== digest) {
    const folder = dirname(dirname(file))
    throw new DamagedError(
      `${problem}, and ${sha256(again)} after rendering it again`,
      `remove ${folder} to render all scenes again`,
    )
  }
  warn(`${problem}; the scene was rendered again`)
  writeAtomically(file, again)
  return again
}

/** Renders the file of a scene again; undefined if it is not one. */
async function renderAgain(file: string): Promise<Buffer | undefined> {
  const split = dirname(file)
  const options = sceneOf(dirname(split), basename(split), file)
  if (options === undefined) return undefined
  // The renderer is large and hardly ever needed here.
  const { renderScene } = require('./scenes') as typeof import('./scenes')
  return encodePng(renderScene(options).image)
}
