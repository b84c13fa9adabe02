/** The page's state: what is looked at, by which backend, with which thresholds, and what was found. */
import type { Box } from '../../../data/types'
import type { ScoredBox } from '../../../evaluate/columns'
import { PANEL_COLOURS, panelsOf } from '../../../evaluate/comparison/panels'
import type { DrawnBox } from '../../../evaluate/overlay'
import type { PagePayload, PageView } from '../payload'
import { type BackendName, useBackend } from './backends'
import { showDifferences } from './differences'
import { element } from './dom'
import { type Frame, pixelsOf } from './frames'
import { type BrowserModel, loadModel } from './model'
import { Panel } from './panel'

/** A frame that stands still is looked at so often, for its milliseconds, unless that takes too long. */
const [REPEATED, PATIENCE_MS] = [9, 300]

export interface Settings {
  /** Least score of what is shown. */
  readonly score: number
  /** IoU above which NMS drops a box. */
  readonly iou: number
  readonly view: PageView
  /** Whether boxes are held against the truth, where a scene has it. */
  readonly truth: boolean
}

interface Looked {
  readonly frame: Frame
  readonly truths?: readonly Box[]
  readonly moving: boolean
}

export class DemoPage {
  private models: readonly BrowserModel[] = []
  private readonly panels: readonly [Panel, Panel]
  private last: Looked | undefined
  private found: readonly (readonly ScoredBox[])[] = []
  /** What is being done; everything waits for its turn. */
  private turn: Promise<void> = Promise.resolve()

  constructor(
    readonly payload: PagePayload,
    private settings: Settings,
  ) {
    const [teacher, student] = payload.models
    this.panels = [
      new Panel('teacher', teacher, payload.classes),
      new Panel('student', student, payload.classes),
    ]
  }

  /** Loads both networks onto a backend. @throws Error where it does not start */
  start(backend: BackendName): Promise<void> {
    return this.inTurn(async () => {
      for (const model of this.models) model.dispose()
      this.models = []
      for (const panel of this.panels) panel.restart()
      await useBackend(backend, this.payload.wasm)
      const loaded: BrowserModel[] = []
      for (const about of this.payload.models) loaded.push(await loadModel(about))
      this.models = loaded
    })
  }

  /** Both networks on one frame. */
  look(frame: Frame, truths?: readonly Box[], moving = false): Promise<void> {
    return this.inTurn(async () => {
      if (this.models.length < 2) return
      const pixels = pixelsOf(frame)
      const { view } = this.settings
      const found: (readonly ScoredBox[])[] = []
      for (const [side, model] of this.models.entries()) {
        const start = performance.now()
        let answer = await model.answer(pixels, view, this.decode())
        this.panels[side]!.measured(answer)
        for (let i = 1; !moving && i < REPEATED && performance.now() - start < PATIENCE_MS; i++) {
          answer = await model.answer(pixels, view, this.decode())
          this.panels[side]!.measured(answer)
        }
        found.push(answer.boxes)
      }
      this.last = { frame, moving, ...(truths && { truths }) }
      this.found = found
      this.show()
    })
  }

  /** Thresholds act on what the networks have said; another view asks them again. */
  async change(change: Partial<Settings>): Promise<void> {
    const { view } = this.settings
    this.settings = { ...this.settings, ...change }
    const { last } = this
    if (!last) return
    if (this.settings.view !== view) return this.look(last.frame, last.truths, last.moving)
    if (change.iou !== undefined) this.found = this.models.map((model) => model.again(this.decode()))
    this.show()
  }

  /** Raw logits of both networks, teacher first, for pixels [height, width, 3] in 0 .. 1 each. */
  async logits(pixels: readonly Float32Array[]): Promise<Float32Array[][]> {
    const answers: Float32Array[][] = []
    await this.inTurn(async () => {
      for (const [side, model] of this.models.entries())
        answers.push((await model.logits(pixels[side]!)).map(({ values }) => values))
    })
    return answers
  }

  private decode() {
    return { ...this.payload.decode, iou: this.settings.iou }
  }

  private show(): void {
    if (!this.last) return
    const { frame, moving } = this.last
    const { score, truth } = this.settings
    const { classes, models } = this.payload
    const names = [models[0].name, models[1].name] as const
    const found = this.found.map((boxes) => boxes.filter((box) => box.score >= score))
    const truths = truth ? this.last.truths : undefined
    const compared = { name: '', found, ...(truths && { truths }) }
    const panels = panelsOf(compared, names, classes)
    const [teacher, student] = truths ? panels.slice(1) : panels
    for (const [side, panel] of [teacher!, student!].entries()) {
      const missed = truths ? missedBy(names[side]!, panels[0]!.boxes) : []
      this.panels[side]!.show(frame, [...panel.boxes, ...missed], panel.description)
    }
    showDifferences({ names, classes, found: [found[0]!, found[1]!] }, moving)
  }

  private async inTurn(work: () => Promise<void>): Promise<void> {
    const before = this.turn
    const main = element('panels', HTMLElement)
    const run = async () => {
      await before.catch(() => {})
      main.setAttribute('aria-busy', 'true')
      try {
        await work()
      } finally {
        main.removeAttribute('aria-busy')
      }
    }
    this.turn = run()
    await this.turn
  }
}

/** Objects of the truth that a model has not found, drawn into its panel. */
function missedBy(name: string, truths: readonly DrawnBox[]): DrawnBox[] {
  return truths
    .filter(({ note }) => note?.includes(name))
    .map((drawn) => ({ ...drawn, colour: PANEL_COLOURS.truth, note: 'missed' }))
}
