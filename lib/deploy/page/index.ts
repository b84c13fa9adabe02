/** Teacher and student in one HTML file that runs them in the browser and needs nothing else. */
import { writeAtomically } from '../../base'
import { createLoader, type Fit, type RgbImage, SCENE_CLASSES } from '../../data'
import { complexity, DECODE_DEFAULTS, Detector } from '../../detector'
import type { ScoredBox } from '../../evaluate'
import { planOf } from '../../quantise/plan'
import { type Checkpoint, createBatchDetector, loadCheckpoint } from '../../train'
import { joinClasses, relabel } from '../detect/names'
import { FILE_DEFAULTS } from '../options'
import { graphModelFiles } from '../tensorflow/graph-model'
import { tensorFlowModel } from '../tensorflow/model'
import { bundleScript, wasmUrl } from './bundle'
import type { PageModel, PagePayload, PageView } from './payload'
import { renderedScenes, sceneOfFile } from './scenes'
import { pageHtml } from './shell'

export interface PageOptions {
  /** Files of images that the page carries; rendered street scenes where absent. */
  readonly images?: readonly string[]
  /** Rendered scenes. Default 6. */
  readonly scenes?: number
  /** Weights as float16, half the size; default true. */
  readonly half?: boolean
  /** Part of the user's own frames that may be chosen, as fractions [x1, y1, x2, y2]. */
  readonly crop?: readonly [number, number, number, number]
  /** How frames are put into the networks' input at first. Default 'stretch'. */
  readonly fit?: Fit
}

/**
 * Makes the page and writes it whole.
 * @param files checkpoints of teacher and student
 * @throws Error naming the file that cannot be read, or saying that the page needs images
 */
export async function writeDemoPage(
  files: readonly [teacher: string, student: string],
  out: string,
  options: PageOptions = {},
): Promise<{ readonly bytes: number }> {
  const html = await demoPage(files, options)
  writeAtomically(out, html)
  return { bytes: Buffer.byteLength(html) }
}

/** The page's text. */
export async function demoPage(
  files: readonly [teacher: string, student: string],
  { images, scenes = 6, half = true, crop, fit = 'stretch' }: PageOptions = {},
): Promise<string> {
  const [teacher, student] = files.map((file) => loadCheckpoint(file))
  const checkpoints = [teacher!, student!] as const
  const { classes, models: labels } = joinClasses(
    checkpoints.map((checkpoint) => checkpoint.classes),
    [],
  )
  const model = (i: 0 | 1, name: string) => pageModel(checkpoints[i], name, labels[i]!, half)
  const payload: PagePayload = {
    classes,
    models: [model(0, 'teacher'), model(1, 'student')],
    scenes: images
      ? await Promise.all(images.map(sceneOfFile))
      : await scenesFor(checkpoints, classes, labels, scenes),
    views: viewsOf(fit, crop),
    decode: DECODE_DEFAULTS,
    wasm: wasmUrl(),
  }
  return pageHtml(payload, await bundleScript())
}

function pageModel(
  checkpoint: Checkpoint & { readonly sha256: string },
  name: string,
  labels: readonly number[],
  half: boolean,
): PageModel {
  const { network, sha256 } = checkpoint
  const { macs, parameters } = complexity(network)
  const plan = planOf(checkpoint)
  const model = tensorFlowModel(plan, { ...FILE_DEFAULTS, batch: 1 }, { fused: true })
  const files = graphModelFiles(model, { half, metadata: { checkpoint: sha256 } })
  return {
    ...{ name, config: { ...plan.decode, input: plan.input }, macs, parameters, labels },
    graph: files.model,
    weights: Buffer.from(files.weights).toString('base64'),
  }
}

/** The whole frame first; a crop is that of the user's own frames, which the scenes have behind them. */
function viewsOf(fit: Fit, crop: PageOptions['crop']): [PageView, ...PageView[]] {
  const [first, second] = [
    { name: 'whole, stretched', fit: 'stretch' },
    { name: 'whole, padded', fit: 'pad' },
  ] as const
  const cropped: PageView[] = crop ? [{ name: 'cut, as in training', fit, crop }] : []
  return fit === 'stretch' ? [first, second, ...cropped] : [second, first, ...cropped]
}

async function scenesFor(
  checkpoints: readonly [Checkpoint, Checkpoint],
  classes: readonly string[],
  labels: readonly (readonly number[])[],
  count: number,
) {
  if (count === 0) return []
  const missing = SCENE_CLASSES.filter((name) => !classes.includes(name))
  if (missing.length > 0)
    throw new Error(
      `page: expected images of its own for classes other than those of the rendered scenes (no ${missing.join(', ')}), found none; name some with --images`,
    )
  const looking = checkpoints.map(looker)
  try {
    return await renderedScenes(count, classes, async (image) => {
      const found: ScoredBox[][] = []
      for (const [i, { look }] of looking.entries()) found.push(relabel(await look(image), labels[i]!))
      return [found[0]!, found[1]!]
    })
  } finally {
    for (const { dispose } of looking) dispose()
  }
}

/** What the page shows of an image at first. */
const SHOWN = 0.3

function looker({ network, weights }: Checkpoint) {
  const detector = new Detector(network, weights)
  const batches = createBatchDetector(detector)
  const look = async (image: RgbImage): Promise<ScoredBox[]> => {
    const sample = { id: '', file: '', boxes: undefined, width: image.width, height: image.height, image }
    const [height, width] = network.input
    const loader = createLoader([sample], { input: [height, width], batch: 1 })
    const { found } = batches.detect(await loader.batchAt(0))
    await loader.close()
    return found[0]!.filter(({ score }) => score >= SHOWN)
  }
  const dispose = () => {
    batches.dispose()
    detector.dispose()
  }
  return { look, dispose }
}
