/** What the page carries: written by the program, read in the browser. Types only, for both. */
import type { Crop, Fit } from '../../data'
import type { DecodeConfig, DecodeOptions } from '../../detector'

export interface PageModel {
  readonly name: string
  /** What decoding needs, and the size of the input. */
  readonly config: DecodeConfig & { readonly input: readonly [number, number] }
  /** Multiply-accumulates of one image, and parameters. */
  readonly macs: number
  readonly parameters: number
  /** Labels of the model in the page's classes. */
  readonly labels: readonly number[]
  /** `model.json` of a TF.js graph model, and its weights in base64. */
  readonly graph: string
  readonly weights: string
}

export interface PageScene {
  readonly name: string
  /** data: URL of the image. */
  readonly url: string
  readonly width: number
  readonly height: number
  /** In pixels of the image, labels in the page's classes; absent where nobody has labelled it. */
  readonly truths?: readonly {
    readonly x1: number
    readonly y1: number
    readonly x2: number
    readonly y2: number
    readonly label: number
  }[]
}

/** How a frame is put into the networks' input; the first is what the page begins with. */
export interface PageView {
  readonly name: string
  readonly fit: Fit
  readonly crop?: Crop
}

export interface PagePayload {
  readonly classes: readonly string[]
  /** Teacher and student. */
  readonly models: readonly [PageModel, PageModel]
  readonly scenes: readonly PageScene[]
  readonly views: readonly [PageView, ...PageView[]]
  readonly decode: DecodeOptions
  /** data: URL of the WebAssembly of TF.js. */
  readonly wasm: string
}
