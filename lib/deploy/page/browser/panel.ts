/** One model's half of the page: the frame with its boxes, what it took, and the boxes as a table. */
import type { DrawnBox } from '../../../evaluate/overlay'
import { drawOverlay } from '../../../evaluate/overlay'
import type { PageModel } from '../payload'
import { element, make } from './dom'
import type { Frame } from './frames'
import type { Answer } from './model'

/** Milliseconds that the middle one is taken of. */
const REMEMBERED = 15

/** Times as high as wide, at most, that a frame may be for the whole width of its panel: browsers have a largest canvas. */
const TALLEST = 2

export class Panel {
  private readonly canvas: HTMLCanvasElement
  private readonly overlay: SVGSVGElement
  private times: number[] = []
  private shown: { frame: Frame; boxes: readonly DrawnBox[]; description: string } | undefined

  constructor(
    private readonly side: 'teacher' | 'student',
    private readonly about: PageModel,
    private readonly classes: readonly string[],
  ) {
    this.canvas = element(`${side}-canvas`, HTMLCanvasElement)
    this.overlay = element(`${side}-overlay`, SVGSVGElement)
    new ResizeObserver(() => this.draw()).observe(this.canvas.parentElement!)
  }

  /** Forgets the times of another backend. */
  restart(): void {
    this.times = []
  }

  show(frame: Frame, boxes: readonly DrawnBox[], description: string): void {
    this.shown = { frame, boxes, description }
    this.draw()
    this.table(boxes)
  }

  measured({ networkMs, decodeMs }: Pick<Answer, 'networkMs' | 'decodeMs'>): void {
    this.times = [...this.times, networkMs].slice(-REMEMBERED)
    const middle = [...this.times].sort((a, b) => a - b)[this.times.length >> 1]!
    element(`${this.side}-ms`, HTMLElement).textContent = milliseconds(middle)
    element(`${this.side}-decode`, HTMLElement).textContent = milliseconds(decodeMs)
  }

  private draw(): void {
    if (!this.shown) return
    const { frame, boxes, description } = this.shown
    const stage = this.canvas.parentElement!
    stage.style.aspectRatio = `${frame.width} / ${frame.height}`
    const share = Math.min(1, (TALLEST * frame.width) / frame.height)
    stage.style.width = `max(1px, ${100 * share}%)`
    const width = stage.clientWidth
    if (width === 0) return
    const height = Math.max(1, Math.round((frame.height * width) / frame.width))
    this.canvas.width = Math.round(width * devicePixelRatio)
    this.canvas.height = Math.round(height * devicePixelRatio)
    const context = this.canvas.getContext('2d')
    if (!context) return
    context.imageSmoothingQuality = 'high'
    context.drawImage(frame.picture, 0, 0, this.canvas.width, this.canvas.height)
    // Letters grow with wide panels, and no less than fits narrow ones.
    const units = width > 520 ? width / 1.25 : width
    const size = { scale: units / frame.width, width: units, height: (height * units) / width }
    this.overlay.setAttribute('viewBox', `0 0 ${size.width} ${size.height}`)
    this.overlay.setAttribute('aria-label', `${this.about.name}: ${description}`)
    this.overlay.innerHTML = drawOverlay(boxes, this.classes, size).join('')
  }

  private table(boxes: readonly DrawnBox[]): void {
    element(`${this.side}-count`, HTMLElement).textContent = String(
      boxes.filter(({ score }) => score !== undefined).length,
    )
    const rows = boxes.map(({ box, label, score, note }) => {
      const corners = [box.x1, box.y1, box.x2, box.y2].map((value) => Math.round(value))
      const cells = [score?.toFixed(2) ?? '–', ...corners.map(String), note ?? '']
      return make('tr', [
        make('th', this.classes[label] ?? `class ${label}`, { scope: 'row' }),
        ...cells.map((cell) => make('td', cell)),
      ])
    })
    element(`${this.side}-rows`, HTMLTableSectionElement).replaceChildren(...rows)
  }
}

const milliseconds = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`
