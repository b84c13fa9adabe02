/** A study's requirements of its data, checked before anything is trained. */
import { UNCHANGED } from './batch'
import { type Crop, frameRegion } from './frames'
import { compose, fitRegion, placeBoxes } from './transform'
import type { Box, Dataset, Sample, SplitName } from './types'

/** How the network sees a frame. */
export interface SeenAs {
  /** [height, width] of the network's input. */
  readonly input: readonly [number, number]
  readonly crop?: Crop
  readonly fit?: 'stretch' | 'pad'
}

/** Boxes of a class in a split that the network does not see as labelled. */
export interface LostBoxes {
  readonly split: SplitName
  readonly class: string
  readonly boxes: number
  /** Removed by the crop: less than three tenths of the box is left. */
  readonly cropped: number
  /** Smaller than a pixel of the network's input, on at least one side. */
  readonly small: number
}

/** A box in pixels of the network's input; undefined if the crop leaves too little of it. */
export function seenBox(box: Box, sample: Sample, seen: SeenAs): Box | undefined {
  const region = frameRegion(sample, seen.crop)
  const toFrame = { scaleX: 1, shiftX: -region.x1, scaleY: 1, shiftY: -region.y1 }
  const whole = { x1: 0, y1: 0, x2: region.x2 - region.x1, y2: region.y2 - region.y1 }
  const placement = compose(toFrame, fitRegion(whole, seen.input, seen.fit ?? 'stretch'))
  const bounds = { x1: 0, y1: 0, x2: whole.x2 * placement.scaleX, y2: whole.y2 * placement.scaleY }
  return placeBoxes([box], placement, bounds, UNCHANGED)[0]
}

const isSmall = (box: Box) => box.x2 - box.x1 < 1 || box.y2 - box.y1 < 1

type Splits = { readonly [split in SplitName]?: readonly Sample[] }

/** Boxes that crop or size remove, by split and class; only where some are lost. */
export function lostBoxes(
  { classes, splits }: { readonly classes: readonly string[]; readonly splits: Splits },
  seen: SeenAs,
): LostBoxes[] {
  const lost: LostBoxes[] = []
  for (const [split, samples] of Object.entries(splits) as [SplitName, readonly Sample[]][]) {
    const counts = classes.map(() => ({ boxes: 0, cropped: 0, small: 0 }))
    for (const sample of samples) {
      for (const box of sample.boxes ?? []) {
        const count = counts[box.label]!
        count.boxes++
        const found = seenBox(box, sample, seen)
        if (found === undefined) count.cropped++
        else if (isSmall(found)) count.small++
      }
    }
    counts.forEach((count, label) => {
      if (count.cropped + count.small > 0) lost.push({ split, class: classes[label]!, ...count })
    })
  }
  return lost
}

/** "train: the crop removes all 5 boxes of bike". */
export function describeLost({ split, class: name, boxes, cropped, small }: LostBoxes): string {
  const of = (count: number) => (count === boxes ? `all ${boxes}` : `${count} of ${boxes}`)
  const parts = [
    ...(cropped > 0 ? [`the crop removes ${of(cropped)} boxes of ${name}`] : []),
    ...(small > 0 ? [`${of(small)} boxes of ${name} are less than a pixel of the network's input`] : []),
  ]
  return `${split}: ${parts.join(', ')}`
}

/** A study's requirements; messages name the keys that change them. */
export interface StudyNeeds extends SeenAs {
  /** Images of a training step (`recipe.batch`). */
  readonly batch: number
  /** Images that keep their labels in a side question that withholds them (`side.labelled`); absent if it is not asked. */
  readonly labelled?: number
  /** Whether the models are finally measured on the test split. */
  readonly tested?: boolean
}

/**
 * What a data set lacks for a study: one message each, with what was found and the key that changes it. Empty if nothing is
 * missing.
 */
export function studyLimits(dataset: Pick<Dataset, 'classes' | 'splits'>, needs: StudyNeeds): string[] {
  const { splits } = dataset
  const { batch, labelled, tested } = needs
  const train = splits.train?.length ?? 0
  const found: string[] = []
  if (train < batch)
    found.push(
      `training: expected at least recipe.batch = ${batch} images, one step's worth, found ${train}; add images or make recipe.batch ${Math.max(1, train)}`,
    )
  else if (labelled !== undefined) {
    const few = Math.min(labelled, Math.floor(train / 4))
    if (few < batch)
      found.push(
        `few labels: expected that ${few === labelled ? `side.labelled = ${labelled}` : `a quarter of the ${train} training images`} ` +
          `makes a step of recipe.batch = ${batch} images, found ${few}; add images, raise side.labelled or make recipe.batch ${Math.max(1, few)}`,
      )
  }
  if ((splits.validation?.length ?? 0) === 0)
    found.push(
      'validation: expected images to choose by, found none; add a folder, file or list of that name, or more training images, of which some are then taken',
    )
  if (tested && (splits.test?.length ?? 0) === 0)
    found.push(
      'test: expected images for the last measurement, found none; add a folder, file or list of that name',
    )
  for (const split of ['train', 'validation', ...(tested ? ['test' as const] : [])] as const) {
    const samples = splits[split] ?? []
    const boxes = samples.flatMap((sample) => (sample.boxes ?? []).map((box) => seenBox(box, sample, needs)))
    if (samples.length > 0 && boxes.every((box) => box === undefined))
      found.push(
        boxes.length === 0
          ? `${split}: expected boxes, found none in ${samples.length} images`
          : `${split}: expected boxes that the network sees, found that ${needs.crop ? `crop = [${needs.crop.join(', ')}]` : 'detector.input'} ` +
              `removes all ${boxes.length}; change crop or detector.input in the profile`,
      )
  }
  return found
}
