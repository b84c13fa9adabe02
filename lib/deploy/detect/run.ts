/** Looks at every image of a source with one model or two, and writes what they found. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TableRow, writeWholeFolder } from '../../base'
import { type Box, type Crop, createLoader, cropRegion, type Fit, type RgbImage } from '../../data'
import {
  agreementTable,
  byDisagreement,
  type ComparedImage,
  comparisonPage,
  disagreementOf,
  drawPanels,
  type Exhibit,
  exhibit,
  meaningsOf,
  panelsOf,
  type ScoredBox,
} from '../../evaluate'
import { type FileKind, type FoundImage, writeDetections } from './files'
import type { RunningModel } from './model'
import { type ClassNaming, type JoinedClasses, joinClasses, relabel } from './names'
import { OUTPUTS, type Output } from './outputs'
import type { Source, SourceImage } from './types'

export interface DetectOptions extends ClassNaming {
  /** Part of every image that is looked at, as fractions [x1, y1, x2, y2]. */
  readonly crop?: Crop
  readonly fit?: Fit
  readonly batch?: number
  /** Least score of what is drawn. Default 0.3. */
  readonly score?: number
  /** Least score of what stands in the files; all that decoding leaves by default. */
  readonly writtenScore?: number
  readonly outputs?: readonly Output[]
  /** Images of the page at most: those with the largest disagreement. Default 200. */
  readonly pageImages?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, damaged: number) => void
}

export interface DetectReport {
  /** Images that were looked at. */
  readonly images: number
  /** Why others were not, each with its name. */
  readonly damaged: readonly string[]
  /** Boxes by class, drawn ones only. */
  readonly agreement: readonly TableRow[]
  /** Of all, with reading and writing. */
  readonly seconds: number
  /** Of each model alone, an image, the median batch: network, decoding and NMS. Absent where too few batches tell it. */
  readonly modelSeconds?: readonly number[]
}

/** An image after the models have looked at it. */
interface Seen {
  readonly image: SourceImage
  readonly pixels: RgbImage
  /** All that each model found, in joined classes. */
  readonly found: readonly (readonly ScoredBox[])[]
}

/** What is kept of an image when its pixels are gone. */
interface Kept {
  readonly image: Pick<FoundImage, 'name' | 'place' | 'width' | 'height'>
  readonly truths?: readonly Box[]
  readonly found: Seen['found']
}

/**
 * Detects, draws and writes into a new folder, which appears whole or not at all. An image that cannot be decoded is named in
 * the report, and the others go on.
 * @throws Error where the folder has content, or no image can be decoded; the signal's reason when it aborts
 */
export async function detectImages(
  source: Source,
  models: readonly RunningModel[],
  folder: string,
  options: DetectOptions = {},
): Promise<DetectReport> {
  if (models.length < 1 || models.length > 2)
    throw new Error(`detect: expected one model or two, found ${models.length}`)
  const names = modelNames(models)
  const joined = joinClasses(
    models.map(({ classes }) => classes),
    source.classes ?? [],
    options,
  )
  return writeWholeFolder(folder, (temporary) =>
    new Detection(source, models, { names, joined, folder: temporary }, options).run(),
  )
}

/** Names of the files and panels; of two alike the second is told apart. */
function modelNames(models: readonly RunningModel[]): string[] {
  const [first, second] = models.map(({ name }) => name)
  return second === undefined ? [first!] : [first!, second === first ? `${second}-2` : second]
}

interface Frame {
  readonly names: readonly string[]
  readonly joined: JoinedClasses
  readonly folder: string
}

class Detection {
  private readonly started = performance.now()
  private readonly damaged: string[] = []
  private readonly kept: Kept[] = []
  private exhibits: Exhibit[] = []
  /** Of each model, an image, by batch. */
  private readonly times: number[][]
  private readonly outputs: readonly Output[]
  private readonly score: number
  private readonly pageImages: number

  constructor(
    private readonly source: Source,
    private readonly models: readonly RunningModel[],
    private readonly frame: Frame,
    private readonly options: DetectOptions,
  ) {
    this.times = models.map(() => [])
    this.outputs = options.outputs ?? OUTPUTS
    this.score = options.score ?? 0.3
    this.pageImages = options.pageImages ?? 200
  }

  async run(): Promise<DetectReport> {
    const { batch = 8, signal, onProgress } = this.options
    if (this.outputs.includes('pictures')) await mkdir(join(this.frame.folder, 'pictures'))
    for await (const chunk of chunksOf(this.source.images, batch)) {
      signal?.throwIfAborted()
      await this.look(chunk)
      onProgress?.(this.kept.length + this.damaged.length, this.damaged.length)
    }
    if (this.kept.length === 0)
      throw new Error(['expected at least one image that can be decoded, found:', ...this.damaged].join('\n'))
    return this.finish()
  }

  private async look(chunk: readonly SourceImage[]): Promise<void> {
    const decoded = await Promise.allSettled(chunk.map((image) => this.load(image)))
    const sound: { image: SourceImage; pixels: RgbImage }[] = []
    for (const [i, image] of chunk.entries()) {
      const result = decoded[i]!
      if (result.status === 'fulfilled') sound.push({ image, pixels: result.value })
      else this.damaged.push(await reasonOf(image.place, () => this.load(image)))
    }
    if (sound.length === 0) return
    const found: (readonly ScoredBox[])[][] = sound.map(() => [])
    for (const [m, model] of this.models.entries()) {
      const result = await this.detect(
        model,
        sound.map(({ pixels }) => pixels),
      )
      this.times[m]!.push(result.seconds / sound.length)
      for (const [i, boxes] of result.found.entries())
        found[i]!.push(relabel(boxes, this.frame.joined.models[m]!))
    }
    for (const [i, { image, pixels }] of sound.entries()) await this.keep({ image, pixels, found: found[i]! })
  }

  /** Decodes an image. @throws Error naming it where that cannot be done, or the crop leaves nothing of it */
  private async load(image: SourceImage): Promise<RgbImage> {
    const pixels = await image.load()
    try {
      cropRegion(pixels.width, pixels.height, this.options.crop)
    } catch (cause) {
      throw new Error(`${image.place}: ${(cause as Error).message}`, { cause })
    }
    return pixels
  }

  /** The images as the loader prepares them for training and evaluation, then the model. */
  private async detect(model: RunningModel, images: readonly RgbImage[]) {
    const { crop, fit } = this.options
    const samples = images.map((image, i) => ({
      ...{ id: String(i), file: '', boxes: undefined, image },
      ...{ width: image.width, height: image.height },
    }))
    const [height, width] = model.input
    const loader = createLoader(samples, {
      ...{ input: [height, width], batch: images.length, fit },
      ...(crop && { crop: [...crop] }),
    })
    try {
      return await model.detect(await loader.batchAt(0))
    } finally {
      await loader.close()
    }
  }

  private async keep({ image, pixels, found }: Seen): Promise<void> {
    const { names, joined, folder } = this.frame
    const { name, place } = image
    const { width, height } = pixels
    const truths = image.truths && relabel(image.truths, joined.truth)
    const index = this.kept.length
    this.kept.push({ image: { name, place, width, height }, ...(truths && { truths }), found })
    const compared: ComparedImage = {
      ...{ name: place, image: pixels, found: found.map((boxes) => this.drawn(boxes)) },
      ...(truths && { truths }),
    }
    if (this.outputs.includes('pictures')) {
      const panels = panelsOf(compared, names, joined.classes)
      const columns = width > 1.8 * height ? 1 : panels.length
      const meanings = meaningsOf({ models: names.length, hasTruth: truths !== undefined })
      const picture = await drawPanels([{ image: pixels, panels }], joined.classes, { columns, meanings })
      await picture.jpeg({ quality: 90 }).toFile(join(folder, 'pictures', `${name}.jpg`))
    }
    if (this.outputs.includes('page')) await this.exhibit(compared, index)
  }

  /** Keeps the exhibits that the page has room for, without making those that it will not have. */
  private async exhibit(compared: ComparedImage, index: number): Promise<void> {
    const rank = { ...(disagreementOf(compared) ?? { boxes: 0, weight: 0 }), index }
    const last = this.exhibits.at(-1)
    if (this.exhibits.length >= this.pageImages && (!last || byDisagreement(last, rank) <= 0)) return
    const { names, joined } = this.frame
    this.exhibits.push(await exhibit(compared, index, { models: names, classes: joined.classes }))
    this.exhibits.sort(byDisagreement)
    this.exhibits.length = Math.min(this.exhibits.length, this.pageImages)
  }

  private drawn(boxes: readonly ScoredBox[]): ScoredBox[] {
    return boxes.filter(({ score }) => score >= this.score)
  }

  private async finish(): Promise<DetectReport> {
    const { folder, names, joined } = this.frame
    const { writtenScore = 0 } = this.options
    const kinds = this.outputs.filter(
      (output): output is FileKind => output !== 'pictures' && output !== 'page',
    )
    for (const [model, name] of names.entries()) {
      const images = this.kept.map(({ image, found }) => ({
        ...image,
        boxes: found[model]!.filter(({ score }) => score >= writtenScore),
      }))
      await writeDetections(folder, name, kinds, images, joined.classes)
    }
    const shown = this.kept.map(({ truths, found }) => ({
      truths,
      found: found.map((boxes) => this.drawn(boxes)),
    }))
    const agreement = agreementTable(shown, names, joined.classes)
    const damaged = [...this.source.problems, ...this.damaged]
    if (this.outputs.includes('page'))
      await writeFile(join(folder, 'index.html'), this.page(agreement, damaged))
    return {
      ...{ images: this.kept.length, damaged, agreement },
      seconds: (performance.now() - this.started) / 1000,
      ...(this.times[0]!.length >= LEAST_BATCHES && { modelSeconds: this.times.map(median) }),
    }
  }

  private page(agreement: readonly TableRow[], damaged: readonly string[]): string {
    return comparisonPage({
      title: `${this.source.title}: detections`,
      models: this.frame.names,
      score: this.score,
      hasTruth: this.kept.some(({ truths }) => truths !== undefined),
      images: this.kept.length,
      agreement,
      exhibits: this.exhibits,
      notes: damaged.length > 0 ? [leftOut(damaged.length), ...damaged] : [],
    })
  }
}

/** "2 images or labels were left out:" */
export const leftOut = (count: number): string =>
  `${count === 1 ? '1 image or label was' : `${count} images or labels were`} left out:`

/** The first batch makes the model ready. */
const LEAST_BATCHES = 3

const median = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length >> 1]!

/** Why an image cannot be decoded: tried by itself, since the decoder mixes up the reasons of several at once. */
async function reasonOf(place: string, load: () => Promise<RgbImage>): Promise<string> {
  return load().then(
    () => `${place}: expected a readable image, found one that decodes only sometimes`,
    (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)),
  )
}

async function* chunksOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = []
  for await (const item of items) {
    chunk.push(item)
    if (chunk.length < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
