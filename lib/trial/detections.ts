import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DamagedError, expectHash, writeAtomically } from '../base'
import type { Detections, Truths } from '../evaluate'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from '../train'
import { FILES, REDO, vouchedHash } from './results'

/** Truths and detections of a trial's evaluation, for further numbers or drawings. */
export interface TrialDetections {
  readonly truths: Truths
  readonly detections: Detections
  /** Ids of the images, in order. */
  readonly ids: readonly string[]
}

const column = (values: ArrayLike<number>): NamedTensor => ({
  shape: [values.length],
  values: Float32Array.from(values),
})

/** Stores truths and detections as float32 columns; the metrics, written later, hold the file's hash. */
export function writeDetections(folder: string, { truths, detections, ids }: TrialDetections): void {
  const tensors = new Map<string, NamedTensor>()
  for (const [name, rows] of [
    ['truth', truths],
    ['detection', detections],
  ] as const) {
    tensors.set(`${name}/image`, column(rows.image))
    tensors.set(`${name}/label`, column(rows.label))
    tensors.set(`${name}/box`, column(rows.box))
  }
  tensors.set('truth/difficult', column(truths.difficult ?? new Uint8Array(truths.image.length)))
  tensors.set('truth/crowd', column(truths.crowd ?? new Uint8Array(truths.image.length)))
  tensors.set('detection/score', column(detections.score))
  const metadata = { classes: String(truths.classes), ids: JSON.stringify(ids) }
  writeAtomically(join(folder, FILES.detections), encodeSafetensors(tensors, metadata))
}

/**
 * Reads what `writeDetections` wrote, in a finished trial.
 * @throws DamagedError if the file does not have the hash in the trial's metrics
 */
export function readDetections(folder: string): TrialDetections {
  const file = join(folder, FILES.detections)
  const expected = vouchedHash(file, FILES.detections)
  if (expected === undefined) {
    const metrics = join(folder, FILES.metrics)
    throw new DamagedError(`${metrics}: expected the hash of ${FILES.detections}, found none`, REDO)
  }
  const bytes = readFileSync(file)
  expectHash(file, bytes, expected, { by: FILES.metrics, advice: REDO })
  const { tensors, metadata } = decodeSafetensors(bytes, file)
  const values = (name: string): Float32Array => {
    const tensor = tensors.get(name)
    if (!tensor)
      throw new Error(`${file}: expected column "${name}", found ${[...tensors.keys()].join(', ')}`)
    return tensor.values
  }
  const ids: unknown = JSON.parse(metadata.ids ?? 'null')
  if (!Array.isArray(ids))
    throw new Error(`${file}: expected a list of ids in its metadata, found ${metadata.ids}`)
  return {
    ids: ids.map(String),
    truths: {
      images: ids.length,
      classes: Number(metadata.classes),
      image: Int32Array.from(values('truth/image')),
      label: Int32Array.from(values('truth/label')),
      box: Float64Array.from(values('truth/box')),
      difficult: Uint8Array.from(values('truth/difficult')),
      crowd: Uint8Array.from(values('truth/crowd')),
    },
    detections: {
      image: Int32Array.from(values('detection/image')),
      label: Int32Array.from(values('detection/label')),
      score: Float64Array.from(values('detection/score')),
      box: Float64Array.from(values('detection/box')),
    },
  }
}
