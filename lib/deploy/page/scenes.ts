/** The frames that the page carries. */
import { basename } from 'node:path'
import sharp from 'sharp'
import { encodePng, type RgbImage, readImage, renderScene, SCENE_CLASSES } from '../../data'
import { disagreement, type ScoredBox } from '../../evaluate'
import type { PageScene } from './payload'

/** Of a scene in the page, in pixels; rendered ones have the shape of the published crop. */
const WIDTH = 640
/** Scenes that are looked through for those on which the models disagree most. */
const CANDIDATES = 48

/** What both models find in an image, in its pixels and in the page's classes. */
export type Look = (image: RgbImage) => Promise<readonly [readonly ScoredBox[], readonly ScoredBox[]]>

/**
 * `count` rendered scenes with their truth: every other one of those on which the models disagree most, the rest spread over
 * all that were looked through. They are drawn anew from a seed that no data set of the profiles has.
 */
export async function renderedScenes(
  count: number,
  classes: readonly string[],
  look: Look,
): Promise<PageScene[]> {
  const options = { seed: 20, stream: 'page' }
  const ranked: { index: number; boxes: number; weight: number }[] = []
  for (let index = 0; index < CANDIDATES; index++) {
    const [teacher, student] = await look(renderScene({ ...options, index }).image)
    ranked.push({ index, ...disagreement(teacher, student) })
  }
  ranked.sort((a, b) => b.boxes - a.boxes || b.weight - a.weight)
  const most = ranked.slice(0, Math.floor(count / 2))
  const others = ranked.slice(most.length).sort((a, b) => a.index - b.index)
  const spread = Array.from({ length: count - most.length }, (_, i) => {
    return others[Math.floor((i * others.length) / (count - most.length))]!
  })
  const chosen = [...most, ...spread].sort((a, b) => a.index - b.index)
  return Promise.all(chosen.map(({ index }, i) => renderedScene(i, classes, { ...options, index })))
}

async function renderedScene(
  number: number,
  classes: readonly string[],
  options: { readonly seed: number; readonly stream: string; readonly index: number },
): Promise<PageScene> {
  const { image, boxes } = renderScene({ ...options, width: WIDTH })
  return {
    ...(await encoded(`Street scene ${number + 1}`, image)),
    truths: boxes.map(({ x1, y1, x2, y2, label }) => ({
      ...{ x1, y1, x2, y2, label: classes.indexOf(SCENE_CLASSES[label]!) },
    })),
  }
}

/** Images of the user's own, made as small as the page needs them. */
export async function sceneOfFile(file: string): Promise<PageScene> {
  const image = await readImage(file, { upright: true })
  const width = Math.min(2 * WIDTH, image.width)
  const height = Math.max(1, Math.round((image.height * width) / image.width))
  const resized = await sharp(await encodePng(image))
    .resize(width, height, { fit: 'fill' })
    .raw()
    .toBuffer()
  return encoded(basename(file), { width, height, pixels: resized })
}

async function encoded(name: string, image: RgbImage): Promise<PageScene> {
  const jpeg = await sharp(await encodePng(image))
    .jpeg({ quality: 86, chromaSubsampling: '4:4:4' })
    .toBuffer()
  const { width, height } = image
  return { name, url: `data:image/jpeg;base64,${jpeg.toString('base64')}`, width, height }
}
