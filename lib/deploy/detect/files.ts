/** Detections of one model as files for other programs. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { renderCsv } from '../../base'
import type { ScoredBox } from '../../evaluate'

/** Notations that detections are written in. */
export const FILE_KINDS = ['coco', 'yolo', 'csv'] as const
export type FileKind = (typeof FILE_KINDS)[number]

/** An image and what one model found in it, in its pixels. */
export interface FoundImage {
  readonly name: string
  readonly place: string
  readonly width: number
  readonly height: number
  readonly boxes: readonly ScoredBox[]
}

/**
 * Writes a model's detections into a folder: `<model>.coco.json` (a COCO document whose annotations have scores),
 * `<model>.csv`, and `<model>.yolo/labels/<image>.txt` with `classes.txt` ("class cx cy w h score", shares of the image).
 */
export async function writeDetections(
  folder: string,
  model: string,
  kinds: readonly FileKind[],
  images: readonly FoundImage[],
  classes: readonly string[],
): Promise<void> {
  if (kinds.includes('coco')) await writeFile(join(folder, `${model}.coco.json`), cocoText(images, classes))
  if (kinds.includes('csv')) await writeFile(join(folder, `${model}.csv`), csvText(images, classes))
  if (!kinds.includes('yolo')) return
  const labels = join(folder, `${model}.yolo`, 'labels')
  await mkdir(labels, { recursive: true })
  await writeFile(join(folder, `${model}.yolo`, 'classes.txt'), classes.map((name) => `${name}\n`).join(''))
  for (const image of images) await writeFile(join(labels, `${image.name}.txt`), yoloText(image))
}

/** COCO's form: boxes as x y width height; ids from 1. */
export function cocoText(images: readonly FoundImage[], classes: readonly string[]): string {
  const annotations = images.flatMap(({ boxes }, i) =>
    boxes.map(({ x1, y1, x2, y2, label, score }) => ({
      image_id: i + 1,
      category_id: label + 1,
      bbox: [x1, y1, x2 - x1, y2 - y1],
      area: (x2 - x1) * (y2 - y1),
      iscrowd: 0,
      score,
    })),
  )
  return JSON.stringify({
    images: images.map(({ place, width, height }, i) => ({ id: i + 1, file_name: place, width, height })),
    annotations: annotations.map((annotation, i) => ({ id: i + 1, ...annotation })),
    categories: classes.map((name, i) => ({ id: i + 1, name })),
  })
}

function csvText(images: readonly FoundImage[], classes: readonly string[]): string {
  const rows = images.flatMap(({ place, width, height, boxes }) =>
    boxes.map(({ x1, y1, x2, y2, label, score }) => ({
      ...{ image: place, width, height, class: classes[label]!, score, x1, y1, x2, y2 },
    })),
  )
  const header = 'image,width,height,class,score,x1,y1,x2,y2\r\n'
  return rows.length > 0 ? renderCsv(rows) : header
}

/** Shares in full precision, so that they give the same pixels back. */
export function yoloText({ width, height, boxes }: FoundImage): string {
  return boxes
    .map(({ x1, y1, x2, y2, label, score }) => {
      const shares = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
      return `${[label, ...shares, score].join(' ')}\n`
    })
    .join('')
}
