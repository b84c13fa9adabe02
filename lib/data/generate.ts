import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { DamagedError, removeLeft, sha256, spaceError, syncFolder, temporaryName, warn } from '../base'
import { SPLIT_NAMES } from './hash'
import {
  describeScenes,
  type RenderedImage,
  type ResolvedScenes,
  readScenes,
  SCENES_VERSION,
  type ScenesConfig,
  sceneOptions,
  scenesSchema,
} from './scene-files'
import { SCENE_CLASSES, type SceneOptions } from './scenes'
import type { Dataset, SplitName } from './types'

/** How scenes are rendered; nothing here changes their pixels. */
export interface GenerateOptions {
  /** Called with the number of finished images and of all images. */
  readonly onProgress?: (done: number, total: number) => void
  /** Stops the rendering; the promise then rejects with the signal's reason, and nothing is left behind. */
  readonly signal?: AbortSignal
  /** Rendering threads; the result does not depend on them. Default: the machine's, at most 2. */
  readonly workers?: number
}

const CHUNK = 16

/** A run of images of one split; a worker's answer has an entry for each. */
export interface RenderTask {
  readonly folder: string
  readonly first: number
  readonly count: number
  readonly options: Omit<SceneOptions, 'index'>
}

export type RenderAnswer = { readonly images: RenderedImage[] } | { readonly error: unknown }

/**
 * Renders a data set of street scenes once, into `directory`/scenes-(hash of the config), and reads it from there afterwards
 * (scene-files.ts describes the folder). `unlabelled` lists only images; `shifted` shows the other town. A split of n images
 * is the beginning of the same split with more. The folder appears whole, with its `manifest.json`, or not at all; several
 * processes may request it at once. A damaged folder is rendered again, with a warning. `hash` covers classes, ids, boxes
 * and decoded pixels and is the same on every machine.
 *
 * @throws Error naming file and folder on a full disk, ZodError for a bad config, the signal's reason on abort
 */
export async function generateScenes(
  directory: string,
  config: ScenesConfig,
  options: GenerateOptions = {},
): Promise<Dataset> {
  const resolved = scenesSchema.parse(config)
  const key = sha256(JSON.stringify([SCENES_VERSION, canonical(resolved)])).slice(0, 12)
  const folder = join(resolve(directory), `scenes-${key}`)
  await mkdir(dirname(folder), { recursive: true })
  removeLeft(dirname(folder))
  const finished = await readOrDamage(folder)
  if (finished instanceof DamagedError)
    warn(`${finished.problem}; the scenes of ${folder} are rendered again`)
  else if (finished !== undefined) return finished
  options.signal?.throwIfAborted()

  const partial = temporaryName(folder)
  try {
    await renderAll(partial, resolved, options)
    await publish(partial, folder)
  } catch (error) {
    throw spaceError(error, folder)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  const dataset = await readScenes(folder)
  if (dataset === undefined) throw new Error(`${folder}: expected the rendered scenes, found nothing`)
  return dataset
}

async function readOrDamage(folder: string): Promise<Dataset | DamagedError | undefined> {
  try {
    return await readScenes(folder)
  } catch (error) {
    if (error instanceof DamagedError) return error
    throw error
  }
}

/**
 * Renames the folder. A faster process has made the same files, so its folder is as good. A damaged folder gets the new
 * files one by one, since others may be reading it, and the manifest last.
 */
async function publish(partial: string, folder: string): Promise<void> {
  try {
    await rename(partial, folder)
  } catch (error) {
    const there = await readOrDamage(folder)
    if (there === undefined) throw error
    if (there instanceof DamagedError) await replaceFiles(partial, folder)
  }
  syncFolder(dirname(folder))
}

async function replaceFiles(partial: string, folder: string): Promise<void> {
  const entries = await readdir(partial, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  const isManifest = (file: string) => basename(file) === 'manifest.json'
  for (const file of [...files.filter((other) => !isManifest(other)), ...files.filter(isManifest)]) {
    const target = join(folder, relative(partial, file))
    await mkdir(dirname(target), { recursive: true })
    await rename(file, target)
  }
  syncFolder(folder)
}

async function renderAll(folder: string, config: ResolvedScenes, options: GenerateOptions): Promise<void> {
  const { onProgress, signal, workers = Math.min(2, availableParallelism()) } = options
  const splits = SPLIT_NAMES.map((name) => ({ name, images: config.splits[name] ?? 0 })).filter(
    (split) => split.images > 0,
  )
  const tasks: (RenderTask & { split: SplitName })[] = []
  for (const { name, images } of splits) {
    await mkdir(join(folder, name), { recursive: true })
    for (let first = 0; first < images; first += CHUNK) {
      tasks.push({
        split: name,
        folder: join(folder, name),
        first,
        count: Math.min(CHUNK, images - first),
        options: sceneOptions(config, name),
      })
    }
  }
  const answers = await renderTasks(tasks, workers, onProgress, signal)
  const rendered = splits.map(({ name }) => {
    const images = tasks.flatMap((task, i) => (task.split === name ? answers[i]! : []))
    return [name, images] as const
  })
  describeScenes(folder, config, SCENE_CLASSES, new Map(rendered))
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

function canonical({ splits, seed, width, height, difficulty, unlabelledTown }: ResolvedScenes): unknown {
  const numbers = [SPLIT_NAMES.map((name) => splits[name] ?? 0), seed, width, height, difficulty]
  return unlabelledTown === 'default' ? numbers : [...numbers, unlabelledTown]
}
