/** A network of the page, ready to run: TF.js computes the logits, the library's own code makes detections of them. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter'
import { dispose, io, type Tensor, tensor4d } from '@tensorflow/tfjs-core'
import { resample } from '../../../data/resample'
import { compose, cropRegion, fitRegion, type Placement, toImage } from '../../../data/transform'
import type { RgbImage } from '../../../data/types'
import type { DecodeOptions } from '../../../detector/decode-options'
import { detectPlain, type LogitMap } from '../../../detector/decode-plain'
import type { ScoredBox } from '../../../evaluate/columns'
import type { PageModel, PageView } from '../payload'

/** What one network says of one frame. */
export interface Answer {
  /** In pixels of the frame, labels in the page's classes. */
  readonly boxes: readonly ScoredBox[]
  /** The network until its logits are read back; decoding and NMS. */
  readonly networkMs: number
  readonly decodeMs: number
}

export interface BrowserModel {
  readonly about: PageModel
  answer(frame: RgbImage, view: PageView, decode: DecodeOptions): Promise<Answer>
  /** Decodes again what the last frame gave, with other thresholds. */
  again(decode: DecodeOptions): readonly ScoredBox[]
  /** Raw logits [h, w, anchors * (5 + classes)] of each scale for pixels [height, width, 3] in 0 .. 1. */
  logits(pixels: Float32Array): Promise<LogitMap[]>
  dispose(): void
}

interface Manifest {
  readonly modelTopology: object
  readonly signature: { readonly outputs: { readonly [name: string]: { readonly name: string } } }
  readonly weightsManifest: readonly { readonly weights: io.WeightsManifestEntry[] }[]
}

/** Loads a network onto the backend that is chosen now, and runs it once, which compiles its programs. */
export async function loadModel(about: PageModel): Promise<BrowserModel> {
  const manifest: Manifest = JSON.parse(about.graph)
  const artifacts = {
    modelTopology: manifest.modelTopology,
    weightSpecs: manifest.weightsManifest.flatMap(({ weights }) => weights),
    weightData: bytesOf(about.weights).buffer,
  }
  const graph = await loadGraphModel(io.fromMemory(artifacts))
  const model = new LoadedModel(about, graph, outputNames(manifest))
  const [height, width] = about.config.input
  await model.logits(new Float32Array(height * width * 3))
  return model
}

/** Nodes that give the logits, in the order of the heads, in which the file names them. */
const outputNames = ({ signature }: Manifest): string[] =>
  Object.values(signature.outputs).map(({ name }) => name)

class LoadedModel implements BrowserModel {
  private last: { maps: readonly LogitMap[]; placement: Placement } | undefined

  constructor(
    readonly about: PageModel,
    private readonly graph: GraphModel,
    private readonly outputs: readonly string[],
  ) {}

  async answer(frame: RgbImage, view: PageView, decode: DecodeOptions): Promise<Answer> {
    const { pixels, placement } = seen(frame, view, this.about.config.input)
    const start = performance.now()
    const maps = await this.logits(pixels)
    const middle = performance.now()
    this.last = { maps, placement }
    const boxes = this.again(decode)
    return { boxes, networkMs: middle - start, decodeMs: performance.now() - middle }
  }

  again(decode: DecodeOptions): readonly ScoredBox[] {
    if (!this.last) return []
    const { maps, placement } = this.last
    const { config, labels } = this.about
    return detectPlain(maps, config, decode).map((box) => ({
      ...toImage(box, placement),
      label: labels[box.label]!,
    }))
  }

  async logits(pixels: Float32Array): Promise<LogitMap[]> {
    const [height, width] = this.about.config.input
    const images = tensor4d(pixels, [1, height, width, 3])
    const found = this.graph.execute(images, [...this.outputs])
    // Of one output it is that tensor itself.
    const result: readonly Tensor[] = Array.isArray(found) ? found : [found]
    try {
      return await Promise.all(
        result.map(async (tensor) => {
          const [, rows = 0, columns = 0] = tensor.shape
          return { height: rows, width: columns, values: Float32Array.from(await tensor.data()) }
        }),
      )
    } finally {
      dispose([images, ...result])
    }
  }

  dispose(): void {
    this.graph.dispose()
  }
}

/** A frame as the network sees it, prepared as for training and evaluation. */
function seen(frame: RgbImage, { fit, crop }: PageView, input: readonly [number, number]) {
  const region = cropRegion(frame.width, frame.height, crop)
  const [width, height] = [region.x2 - region.x1, region.y2 - region.y1]
  const part = cut(frame, region.x1, region.y1, width, height)
  const inPart = fitRegion({ x1: 0, y1: 0, x2: width, y2: height }, input, fit)
  const pixels = new Float32Array(input[0] * input[1] * 3)
  resample(part, inPart, input, pixels, { fill: 114 })
  const toPart = { scaleX: 1, shiftX: -region.x1, scaleY: 1, shiftY: -region.y1 }
  return { pixels, placement: compose(toPart, inPart) }
}

function cut(frame: RgbImage, left: number, top: number, width: number, height: number): RgbImage {
  if (width === frame.width && height === frame.height) return frame
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * frame.width + left)
    pixels.set(frame.pixels.subarray(from, from + 3 * width), 3 * y * width)
  }
  return { width, height, pixels }
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
