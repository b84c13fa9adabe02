import { createHash } from 'node:crypto'
import type { Sample } from './types'

/** From this many sequences on, whole sequences are taken; below, a block of each. */
const MANY_SEQUENCES = 20

/** "train/Town01_011940" is frame 11940 of the sequence "train/Town01_"; an id without a number is a sequence of its own. */
export function sequenceOf(id: string): { sequence: string; frame: number } {
  const match = /^(.*?)(\d+)$/.exec(id)
  return match ? { sequence: match[1]!, frame: Number(match[2]) } : { sequence: id, frame: 0 }
}

/**
 * Divides samples into training and validation identically on every machine, without neighbouring frames on
 * both sides: samples whose ids differ only in the final number form a sequence. With few long sequences,
 * it takes one block of consecutive frames from each, at a position given by the hash of the sequence's
 * name; with many (20 or more) it takes whole sequences, in the order of their names' hashes, until the share is full.
 *
 * @param imageOf identifies a sample's image (by a digest, for example); samples of the same image stay together
 */
export function carveValidation(
  samples: readonly Sample[],
  share: number,
  imageOf: (sample: Sample) => string = ({ id }) => id,
): { train: Sample[]; validation: Sample[] } {
  if (!(share > 0 && share < 1))
    throw new RangeError(`validation: expected a fraction between 0 and 1, found ${share}`)
  const sequences = new Map<string, Sample[]>()
  for (const sample of samples) {
    const { sequence } = sequenceOf(sample.id)
    const frames = sequences.get(sequence)
    if (frames === undefined) sequences.set(sequence, [sample])
    else frames.push(sample)
  }
  const taken = new Set<Sample>()
  if (sequences.size >= MANY_SEQUENCES) {
    const wanted = Math.round(share * samples.length)
    for (const name of [...sequences.keys()].sort((a, b) => position(a) - position(b))) {
      if (taken.size >= wanted) break
      for (const sample of sequences.get(name)!) taken.add(sample)
    }
  } else {
    for (const [name, frames] of sequences) {
      const ordered = [...frames].sort((a, b) => sequenceOf(a.id).frame - sequenceOf(b.id).frame)
      const length = Math.round(share * ordered.length)
      const start = Math.floor(position(name) * (ordered.length - length + 1))
      for (const sample of ordered.slice(start, start + length)) taken.add(sample)
    }
  }
  const held = new Set([...taken].map(imageOf))
  return {
    train: samples.filter((sample) => !held.has(imageOf(sample))),
    validation: samples.filter((sample) => held.has(imageOf(sample))),
  }
}

/** A pseudo-random number in [0, 1) from a name. */
function position(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE(0) / 2 ** 32
}
