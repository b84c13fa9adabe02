/**
 * The folder of rendered scenes. `manifest.json`, which is sealed, holds the renderer's options and the SHA-256 of all lists.
 * Each split has a folder of PNG files, an annotation list (`train.txt`, format: annotations.ts) and a list of its images'
 * hashes (`train.sha256`, which `sha256sum --check` can read).
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { DamagedError, expectHash, readSealed, sha256, writeAtomically, writeSealed } from '../base'
import { type Annotation, formatAnnotations, parseAnnotations } from './annotations'
import { SPLIT_NAMES } from './hash'
import type { SceneOptions } from './scenes'
import type { Box, Dataset, Sample, SplitName } from './types'

const count = z.number().int().nonnegative()

/** Which scenes to render: images in each split, and the options of renderScene. */
export const scenesSchema = z
  .object({
    splits: z
      .object({ train: count, validation: count, test: count, unlabelled: count, shifted: count })
      .partial()
      .strict(),
    seed: z.number().int().safe().default(1),
    width: z.number().int().positive().default(256),
    height: z.number().int().positive().default(96),
    difficulty: z.number().min(0).max(1).default(0.25),
    /** The town of the unlabelled frames: the training images' own, or that of `shifted`. */
    unlabelledTown: z.enum(['default', 'shifted']).default('default'),
  })
  .strict()

/** A data set of rendered scenes, as a profile asks for it. */
export type ScenesConfig = z.input<typeof scenesSchema>
export type ResolvedScenes = z.output<typeof scenesSchema>

/** Raised with every change of the renderer that changes a pixel or a box, so that no stale cache is used. */
export const SCENES_VERSION = 2

const hash = z.string().length(64)

const manifestSchema = z
  .object({
    version: z.literal(SCENES_VERSION),
    config: scenesSchema,
    classes: z.array(z.string()),
    /** Of the data set: classes, ids, boxes and decoded pixels. */
    hash,
    /** Number of images, and the SHA-256 of their annotation list and of their list of hashes. */
    splits: z.record(z.object({ images: count, annotations: hash, digests: hash }).strict()),
  })
  .strict()
type Manifest = z.infer<typeof manifestSchema>

const MANIFEST = 'manifest.json'
const CLASSES = 'classes.txt'
const ADVICE = 'delete the folder and the scenes are rendered again'

/** What is known of an image after rendering. */
export interface RenderedImage {
  /** SHA-256 of the pixels. */
  readonly pixels: string
  /** SHA-256 of the file. */
  readonly digest: string
  readonly boxes: readonly Box[]
}

/** The name of an image's file within its split. */
export function fileName(index: number): string {
  return `${String(index).padStart(6, '0')}.png`
}

/** The renderer's options for a split; each scene adds its index. */
export function sceneOptions(
  { seed, width, height, difficulty, unlabelledTown }: ResolvedScenes,
  split: SplitName,
): Omit<SceneOptions, 'index'> {
  const style = split === 'shifted' ? 'shifted' : split === 'unlabelled' ? unlabelledTown : 'default'
  return { seed, stream: split, style, width, height, difficulty }
}

/** Writes everything but the images, the manifest last. */
export function describeScenes(
  folder: string,
  config: ResolvedScenes,
  classes: readonly string[],
  images: ReadonlyMap<SplitName, readonly RenderedImage[]>,
): void {
  const data = createHash('sha256').update(JSON.stringify(classes))
  const splits: Manifest['splits'] = {}
  for (const [name, rendered] of images) {
    const annotations = rendered.map(({ boxes }, index): Annotation => {
      return { path: `${name}/${fileName(index)}`, boxes: name === 'unlabelled' ? [] : boxes }
    })
    annotations.forEach(({ path, boxes }, i) => {
      const rows = boxes.map(({ x1, y1, x2, y2, label }) => [x1, y1, x2, y2, label])
      data.update(JSON.stringify([path, name === 'unlabelled' ? null : rows, rendered[i]!.pixels]))
    })
    const lists = {
      annotations: formatAnnotations(annotations),
      digests: rendered.map(({ digest }, i) => `${digest}  ${name}/${fileName(i)}\n`).join(''),
    }
    writeAtomically(join(folder, `${name}.txt`), lists.annotations)
    writeAtomically(join(folder, `${name}.sha256`), lists.digests)
    splits[name] = {
      images: rendered.length,
      annotations: sha256(lists.annotations),
      digests: sha256(lists.digests),
    }
  }
  writeAtomically(join(folder, CLASSES), classLines(classes))
  const manifest: Manifest = {
    version: SCENES_VERSION,
    config,
    classes: [...classes],
    hash: data.digest('hex'),
    splits,
  }
  writeSealed(join(folder, MANIFEST), manifest)
}

const classLines = (classes: readonly string[]): string => classes.map((name) => `${name}\n`).join('')

/**
 * How the scenes of a folder were rendered.
 * @throws DamagedError if the manifest is damaged
 */
function readManifest(folder: string): Manifest {
  return readSealed(join(folder, MANIFEST), manifestSchema, { advice: ADVICE })
}

/**
 * Reads rendered scenes; their images are checked against their hashes when they are decoded. Undefined if there is no such
 * folder.
 *
 * @throws DamagedError naming the first file that is missing or damaged
 */
export async function readScenes(folder: string): Promise<Dataset | undefined> {
  const names = await namesIn(folder)
  if (names === undefined) return undefined
  if (!names.has(MANIFEST))
    throw new DamagedError(`${join(folder, MANIFEST)}: expected a file, found none`, ADVICE)
  const { config, classes, hash, splits: written } = readManifest(folder)
  const classFile = join(folder, CLASSES)
  expectHash(classFile, await textOf(classFile), sha256(classLines(classes)), {
    by: MANIFEST,
    advice: ADVICE,
  })
  const splits: { [split in SplitName]?: readonly Sample[] } = {}
  for (const name of SPLIT_NAMES) {
    const { images, annotations, digests } = written[name] ?? {}
    if (images === undefined || !annotations || !digests) continue
    const digestOf = parseDigests(await listed(folder, `${name}.sha256`, digests))
    const list = await listed(folder, `${name}.txt`, annotations)
    const files = (await namesIn(join(folder, name))) ?? new Set()
    const missing = Array.from({ length: images }, (_, i) => fileName(i)).find((file) => !files.has(file))
    if (missing !== undefined)
      throw new DamagedError(`${join(folder, name, missing)}: expected a file, found none`, ADVICE)
    splits[name] = parseAnnotations(list, join(folder, `${name}.txt`), classes.length).map(
      ({ path, boxes }): Sample => ({
        id: path,
        file: join(folder, path),
        width: config.width,
        height: config.height,
        boxes: name === 'unlabelled' ? undefined : boxes,
        digest: digestOf.get(path),
      }),
    )
  }
  return { name: 'scenes', classes, splits, hash }
}

async function namesIn(folder: string): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(await readdir(folder))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A list whose hash the manifest holds. */
async function listed(folder: string, name: string, expected: string): Promise<string> {
  const file = join(folder, name)
  const text = await textOf(file)
  expectHash(file, text, expected, { by: MANIFEST, advice: ADVICE })
  return text
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new DamagedError(`${file}: expected a file, found none`, ADVICE)
  }
}

/** Hashes by the images' paths, from lines as `sha256sum` writes them. */
function parseDigests(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]))
}

/** The options that render an image file again; undefined if the folder above does not hold rendered scenes. */
export function sceneOf(folder: string, split: string, file: string): SceneOptions | undefined {
  const name = SPLIT_NAMES.find((other) => other === split)
  const index = Number.parseInt(basename(file), 10)
  if (name === undefined || basename(file) !== fileName(index)) return undefined
  try {
    return { ...sceneOptions(readManifest(folder).config, name), index }
  } catch {
    return undefined // no manifest, or a damaged one
  }
}
