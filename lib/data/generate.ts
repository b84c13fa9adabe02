import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { sha256 } from '../base'
import { type Annotation, formatAnnotations, parseAnnotations } from './annotations'
import { SCENE_CLASSES, type SceneOptions } from './scenes'
import type { Box, Dataset, Sample, SplitName } from './types'

const count = z.number().int().nonnegative()

/** Which scenes to render: images in each split, and the options of renderScene. */
export const scenesSchema = z
  .object({
    splits: z
      .object({ train: count, validation: count, test: count, unlabelled: count, shifted: count })
      .partial()
      .strict(),
    seed: z.number().int().default(1),
    width: z.number().int().positive().default(256),
    height: z.number().int().positive().default(96),
    difficulty: z.number().min(0).max(1).default(0.25),
    /** The town of the unlabelled frames: the training images' own, or that of `shifted`. */
    unlabelledTown: z.enum(['default', 'shifted']).default('default'),
  })
  .strict()

export type ScenesConfig = z.input<typeof scenesSchema>
type ResolvedConfig = z.output<typeof scenesSchema>

export interface GenerateOptions {
  /** Called with the number of finished images and of all images. */
  readonly onProgress?: (done: number, total: number) => void
  /** Stops the rendering; the promise then rejects with the signal's reason, and nothing is left behind. */
  readonly signal?: AbortSignal
  /** Rendering threads; the result does not depend on them. Default: the machine's, at most 2. */
  readonly workers?: number
}

/** Raised with every change of the renderer that changes a pixel or a box, so that no stale cache is used. */
export const SCENES_VERSION = 2

const SPLITS = ['train', 'validation', 'test', 'unlabelled', 'shifted'] as const
const CHUNK = 16

/** A run of images of one split; a worker's answer has an entry for each. */
export interface RenderTask {
  readonly folder: string
  readonly first: number
  readonly count: number
  readonly options: Omit<SceneOptions, 'index'>
}

export interface RenderedImage {
  /** SHA-256 of the pixels. */
  readonly pixels: string
  readonly boxes: readonly Box[]
}

export type RenderAnswer = { readonly images: RenderedImage[] } | { readonly error: unknown }

const manifestSchema = z.object({
  version: z.literal(SCENES_VERSION),
  config: scenesSchema,
  classes: z.array(z.string()),
  hash: z.string(),
  splits: z.record(z.object({ images: count, annotations: z.string() })),
})
type Manifest = z.infer<typeof manifestSchema>

/**
 * Renders a data set of street scenes once, into `directory`/scenes-(hash of the config), and reads it from
 * there afterwards. Each split has a folder of PNG files and an annotation list (`train.txt`, format:
 * annotations.ts); `unlabelled` lists only images; `shifted` shows the other town. A split of n images is
 * the beginning of the same split with more. The folder appears whole, with its `manifest.json`, or not at all;
 * several processes may request it at once. `hash` covers classes, ids, boxes and decoded pixels and is the
 * same on every machine.
 *
 * @throws Error when a finished folder lacks files, ZodError for a bad config, the signal's reason on abort
 */
export async function generateScenes(
  directory: string,
  config: ScenesConfig,
  { onProgress, signal, workers = Math.min(2, availableParallelism()) }: GenerateOptions = {},
): Promise<Dataset> {
  const resolved = scenesSchema.parse(config)
  const key = sha256(JSON.stringify([SCENES_VERSION, canonical(resolved)])).slice(0, 12)
  const folder = join(resolve(directory), `scenes-${key}`)
  const finished = await readFinished(folder)
  if (finished !== undefined) return finished
  signal?.throwIfAborted()

  await removeAbandoned(folder)
  const partial = `${folder}.${hostname()}.${process.pid}.${randomUUID().slice(0, 8)}.partial`
  try {
    await renderAll(partial, resolved, workers, onProgress, signal)
    await publish(partial, folder)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  const dataset = await readFinished(folder)
  if (dataset === undefined) throw new Error(`${folder}: expected the rendered scenes, found nothing`)
  return dataset
}

/** Removes what killed processes of this machine have left of the same folder. */
async function removeAbandoned(folder: string): Promise<void> {
  const directory = dirname(folder)
  const start = `${basename(folder)}.${hostname()}.`
  const entries = await readdir(directory).catch(() => [])
  for (const entry of entries) {
    if (!entry.startsWith(start) || !entry.endsWith('.partial')) continue
    const pid = Number.parseInt(entry.slice(start.length), 10)
    if (!isRunning(pid)) await rm(join(directory, entry), { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Renames the folder; a faster process has made the same files, so its folder is as good. */
async function publish(partial: string, folder: string): Promise<void> {
  try {
    await rename(partial, folder)
  } catch (error) {
    if ((await readManifest(folder)) === undefined) throw error
  }
}

async function renderAll(
  folder: string,
  config: ResolvedConfig,
  workers: number,
  onProgress: GenerateOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const splits = SPLITS.map((name) => ({ name, images: config.splits[name] ?? 0 })).filter(
    (s) => s.images > 0,
  )
  const tasks: (RenderTask & { split: SplitName })[] = []
  for (const { name, images } of splits) {
    await mkdir(join(folder, name), { recursive: true })
    const { seed, width, height, difficulty } = config
    const style = name === 'shifted' ? 'shifted' : name === 'unlabelled' ? config.unlabelledTown : 'default'
    for (let first = 0; first < images; first += CHUNK) {
      tasks.push({
        split: name,
        folder: join(folder, name),
        first,
        count: Math.min(CHUNK, images - first),
        options: { seed, stream: name, style, width, height, difficulty },
      })
    }
  }
  const answers = await renderTasks(tasks, workers, onProgress, signal)

  const hash = createHash('sha256').update(JSON.stringify(SCENE_CLASSES))
  const manifest: Manifest = {
    version: SCENES_VERSION,
    config,
    classes: [...SCENE_CLASSES],
    hash: '',
    splits: {},
  }
  for (const { name, images } of splits) {
    const rendered = tasks.flatMap((task, i) => (task.split === name ? answers[i]! : []))
    const annotations = rendered.map(({ boxes }, index): Annotation => {
      return { path: `${name}/${fileName(index)}`, boxes: name === 'unlabelled' ? [] : boxes }
    })
    annotations.forEach(({ path, boxes }, i) => {
      const rows = boxes.map(({ x1, y1, x2, y2, label }) => [x1, y1, x2, y2, label])
      hash.update(JSON.stringify([path, name === 'unlabelled' ? null : rows, rendered[i]!.pixels]))
    })
    const text = formatAnnotations(annotations)
    await writeFile(join(folder, `${name}.txt`), text)
    manifest.splits[name] = { images, annotations: sha256(text) }
  }
  manifest.hash = hash.digest('hex')
  await writeFile(join(folder, 'classes.txt'), SCENE_CLASSES.map((name) => `${name}\n`).join(''))
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Hands tasks to threads, each the next one when it has finished its last; answers are in the tasks' order. */
async function renderTasks(
  tasks: readonly RenderTask[],
  workers: number,
  onProgress: GenerateOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<RenderedImage[][]> {
  const answers: RenderedImage[][] = []
  const total = tasks.reduce((sum, task) => sum + task.count, 0)
  let next = 0
  let done = 0
  const team: Worker[] = []
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(join(__dirname, 'generate-worker.ts'), {
        execArgv: ['--require', require.resolve('tsx/cjs')],
      })
      team.push(worker)
      let current = -1
      const proceed = () => {
        current = next++
        if (current < tasks.length) worker.postMessage(tasks[current])
        else resolve()
      }
      worker.on('message', (answer: RenderAnswer) => {
        if ('error' in answer) return reject(answer.error)
        answers[current] = answer.images
        done += answer.images.length
        onProgress?.(done, total)
        proceed()
      })
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new Error(`a rendering thread ended early with exit code ${code}`)))
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      proceed()
    })
  try {
    const size = Math.max(1, Math.min(workers, tasks.length))
    await Promise.all(Array.from({ length: tasks.length === 0 ? 0 : size }, work))
  } finally {
    await Promise.all(team.map((worker) => worker.terminate()))
  }
  return answers
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = join(folder, 'manifest.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return manifestSchema.parse(JSON.parse(text))
}

async function readFinished(folder: string): Promise<Dataset | undefined> {
  const manifest = await readManifest(folder)
  if (manifest === undefined) return undefined
  const { width, height } = manifest.config
  const splits: { [split in SplitName]?: readonly Sample[] } = {}
  for (const name of SPLITS) {
    const expected = manifest.splits[name]
    if (expected === undefined) continue
    const list = join(folder, `${name}.txt`)
    const text = await readFile(list, 'utf8')
    const files = (await readdir(join(folder, name))).length
    if (sha256(text) !== expected.annotations || files !== expected.images) {
      throw new Error(
        `${folder}: expected ${expected.images} images in ${name}/ and ${name}.txt as it was written, ` +
          `found ${files} images or another list; delete the folder and the scenes are rendered again`,
      )
    }
    splits[name] = parseAnnotations(text, list, manifest.classes.length).map(({ path, boxes }) => ({
      id: path,
      file: join(folder, path),
      width,
      height,
      boxes: name === 'unlabelled' ? undefined : boxes,
    }))
  }
  return { name: 'scenes', classes: manifest.classes, splits, hash: manifest.hash }
}

/** The name of an image's file within its split. */
export function fileName(index: number): string {
  return `${String(index).padStart(6, '0')}.png`
}

function canonical({ splits, seed, width, height, difficulty, unlabelledTown }: ResolvedConfig): unknown {
  const numbers = [SPLITS.map((name) => splits[name] ?? 0), seed, width, height, difficulty]
  return unlabelledTown === 'default' ? numbers : [...numbers, unlabelledTown]
}
