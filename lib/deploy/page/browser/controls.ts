/** What the user moves: source, thresholds, view, light and dark. */
import type { Box } from '../../../data/types'
import type { PageScene } from '../payload'
import { element } from './dom'
import { type Frame, frameOfVideo, imageOfFile, loadImage, playCamera, playFile, stopVideo } from './frames'
import type { DemoPage } from './page'

type Tell = (text: string, isError?: boolean) => void
const SOURCES = ['scenes', 'image', 'video', 'camera'] as const
type SourceName = (typeof SOURCES)[number]

export interface Controls {
  /** Looks again at what is chosen, with another backend say. */
  again(): Promise<void>
}

export function listen(page: DemoPage, tell: Tell): Controls {
  listenToSettings(page)
  listenToTheme()
  const sources = new Sources(page, tell)
  return { again: () => sources.again() }
}

function listenToSettings(page: DemoPage): void {
  for (const name of ['score', 'iou'] as const) {
    const slider = element(name, HTMLInputElement)
    slider.addEventListener('input', () => {
      element(`${name}-value`, HTMLOutputElement).value = Number(slider.value).toFixed(2)
      void page.change({ [name]: Number(slider.value) })
    })
  }
  const view = element('view', HTMLSelectElement)
  view.addEventListener('change', () => {
    void page.change({ view: page.payload.views[Number(view.value)] ?? page.payload.views[0] })
  })
  const truth = element('truth', HTMLInputElement)
  truth.addEventListener('change', () => void page.change({ truth: truth.checked }))
}

function listenToTheme(): void {
  const button = element('theme', HTMLButtonElement)
  const root = document.documentElement
  const dark = () =>
    (root.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark'
  const name = () => {
    button.textContent = dark() ? 'Light colours' : 'Dark colours'
  }
  button.addEventListener('click', () => {
    root.dataset.theme = dark() ? 'light' : 'dark'
    name()
  })
  name()
}

/** One source at a time; video and camera are looked at frame after frame until another is chosen. */
class Sources {
  private still: { frame: Frame; truths?: readonly Box[] } | undefined
  private readonly video = element('player', HTMLVideoElement)
  /** Counts what was chosen, so that what is late is dropped. */
  private choice = 0

  constructor(
    private readonly page: DemoPage,
    private readonly tell: Tell,
  ) {
    for (const name of SOURCES)
      element(`source-${name}`, HTMLInputElement).addEventListener('change', () => void this.choose(name))
    page.payload.scenes.forEach((scene, i) => {
      const radio = element(`scene-${i}`, HTMLInputElement)
      radio.addEventListener('change', () => void this.attempt(() => this.showScene(scene)))
    })
    const onFile = (id: string, show: (file: File) => Promise<void>) => {
      const input = element(id, HTMLInputElement)
      input.addEventListener('change', () => {
        const file = input.files?.[0]
        if (file) void this.attempt(() => show(file))
      })
    }
    onFile('image-file', (file) => this.showImage(file))
    onFile('video-file', (file) => this.play(() => playFile(this.video, file)))
    element('camera-start', HTMLButtonElement).addEventListener('click', () => {
      void this.attempt(() => this.play(() => playCamera(this.video)))
    })
    element('pause', HTMLButtonElement).addEventListener('click', () => this.pause())
    this.listenToDrops()
  }

  async again(): Promise<void> {
    if (this.still) return this.page.look(this.still.frame, this.still.truths)
    const [first] = this.page.payload.scenes
    if (first && !this.isMoving()) await this.showScene(first)
  }

  private isMoving = () => this.video.srcObject !== null || this.video.hasAttribute('src')

  private async choose(name: SourceName): Promise<void> {
    this.end()
    for (const other of SOURCES) element(`of-${other}`, HTMLElement).hidden = other !== name
    if (name !== 'scenes') return
    const index = this.page.payload.scenes.findIndex(
      (_, i) => element(`scene-${i}`, HTMLInputElement).checked,
    )
    const scene = this.page.payload.scenes[Math.max(0, index)]
    if (scene) await this.attempt(() => this.showScene(scene))
  }

  private end(): void {
    this.choice++
    stopVideo(this.video)
    element('pause', HTMLButtonElement).hidden = true
    this.tell('')
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      this.tell('')
      await work()
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error), true)
    }
  }

  private async showScene({ url, truths }: PageScene): Promise<void> {
    const choice = ++this.choice
    await this.showStill(choice, await loadImage(url), truths)
  }

  private async showImage(file: File): Promise<void> {
    const choice = ++this.choice
    await this.showStill(choice, await imageOfFile(file))
  }

  private async showStill(choice: number, frame: Frame, truths?: readonly Box[]): Promise<void> {
    if (choice !== this.choice) return
    this.still = { frame, ...(truths && { truths }) }
    await this.page.look(frame, truths)
  }

  private async play(begin: () => Promise<void>): Promise<void> {
    this.end()
    const { choice } = this
    this.still = undefined
    await begin()
    if (choice !== this.choice) return stopVideo(this.video)
    const button = element('pause', HTMLButtonElement)
    button.hidden = false
    button.textContent = 'Pause'
    void this.attempt(() => this.follow(choice))
  }

  private async follow(choice: number): Promise<void> {
    let looked = -1
    while (choice === this.choice) {
      const { currentTime, readyState, videoWidth } = this.video
      const hasFrame = readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && videoWidth > 0
      if (hasFrame && currentTime !== looked) {
        looked = currentTime
        await this.page.look(frameOfVideo(this.video), undefined, true)
      }
      await new Promise((resolve) => requestAnimationFrame(resolve))
    }
  }

  private pause(): void {
    const { paused } = this.video
    if (paused) void this.attempt(() => this.video.play())
    else this.video.pause()
    element('pause', HTMLButtonElement).textContent = paused ? 'Pause' : 'Go on'
  }

  private listenToDrops(): void {
    document.addEventListener('dragover', (event) => event.preventDefault())
    document.addEventListener('drop', (event) => {
      event.preventDefault()
      const file = event.dataTransfer?.files[0]
      if (!file) return
      const name = file.type.startsWith('video/') ? 'video' : 'image'
      element(`source-${name}`, HTMLInputElement).checked = true
      void this.choose(name)
      void this.attempt(() => {
        return name === 'video' ? this.play(() => playFile(this.video, file)) : this.showImage(file)
      })
    })
  }
}
