import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { formatAnnotations } from './annotations'
import type { CleanSet } from './check'
import { kindOf } from './files'
import { SPLIT_NAMES } from './hash'
import type { Sample } from './types'

export type Notation = 'coco' | 'list'

/** Boxes that say more than a list can hold: difficult ones, crowds, and areas other than the box's. */
export function flaggedBoxes(set: CleanSet): number {
  let count = 0
  for (const samples of Object.values(set.splits)) {
    for (const { boxes = [] } of samples ?? [])
      for (const { difficult, crowd, area } of boxes) if (difficult || crowd || area !== undefined) count++
  }
  return count
}

/**
 * Writes annotations to a new folder, which `openDataset` opens: for 'list' an annotation list a split
 * (train.txt, ...) and classes.txt, for 'coco' annotations/instances_(split).json. Images stay where they are
 * and are named by their path from the new folder. A list keeps corners and classes only; COCO keeps the crowd
 * flag, areas, and the difficult flag as `ignore`.
 * @throws Error when the folder is there already and not empty; nothing is overwritten
 */
export async function writeAnnotations(set: CleanSet, notation: Notation, target: string): Promise<void> {
  const folder = resolve(target)
  const kind = await kindOf(folder)
  if (kind === 'file' || (kind === 'folder' && (await readdir(folder)).length > 0))
    throw new Error(
      `${folder}: expected a new or empty folder, found a ${kind} with content; name another one`,
    )
  const texts = new Map<string, string>()
  for (const split of SPLIT_NAMES) {
    const samples = set.splits[split]
    if (samples === undefined) continue
    if (notation === 'list') texts.set(`${split}.txt`, listText(samples, folder))
    else
      texts.set(
        `annotations/instances_${split}.json`,
        cocoText(samples, set.classes, join(folder, 'annotations')),
      )
  }
  if (notation === 'list') texts.set('classes.txt', `${set.classes.join('\n')}\n`)
  // Written beside and renamed, so that the folder appears whole or not at all.
  const temporary = `${folder}.${randomUUID()}`
  try {
    for (const [name, text] of texts) {
      await mkdir(dirname(join(temporary, name)), { recursive: true })
      await writeFile(join(temporary, name), text)
    }
    if (kind === 'folder') await rm(folder, { recursive: true })
    await rename(temporary, folder)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

const pathFrom = (folder: string, file: string) => relative(folder, file).split(sep).join('/')

function listText(samples: readonly Sample[], folder: string): string {
  return formatAnnotations(
    samples.map(({ file, boxes }) => ({ path: pathFrom(folder, file), boxes: boxes ?? [] })),
  )
}

function cocoText(samples: readonly Sample[], classes: readonly string[], folder: string): string {
  const images = samples.map(({ file, width, height }, i) => ({
    id: i + 1,
    file_name: pathFrom(folder, file),
    width,
    height,
  }))
  const annotations = samples.flatMap(({ boxes }, i) =>
    (boxes ?? []).map((box) => {
      const [width, height] = [box.x2 - box.x1, box.y2 - box.y1]
      return {
        image_id: i + 1,
        category_id: box.label + 1,
        bbox: [box.x1, box.y1, width, height],
        area: box.area ?? width * height,
        iscrowd: box.crowd ? 1 : 0,
        ...(box.difficult ? { ignore: 1 } : {}),
      }
    }),
  )
  return JSON.stringify({
    images,
    annotations: annotations.map((annotation, i) => ({ id: i + 1, ...annotation })),
    categories: classes.map((name, i) => ({ id: i + 1, name })),
  })
}
