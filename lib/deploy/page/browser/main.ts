/** Begins the page: finds a backend, loads the networks, shows the first scene, and listens. */
import type { PagePayload } from '../payload'
import { type Backend, type BackendName, findBackends, preferred } from './backends'
import { listen } from './controls'
import { element, make } from './dom'
import { DemoPage } from './page'

declare global {
  /** For the console and for tests. */
  var detectorPage: DemoPage | undefined
}

/** Says what goes on, or wrong, to eyes and screen readers. */
function tell(text: string, isError = false): void {
  const place = element('message', HTMLElement)
  place.textContent = text
  place.classList.toggle('error', isError)
}

function offer(backends: readonly Backend[], chosen: BackendName): void {
  const select = element('backend', HTMLSelectElement)
  const options = backends.map(({ name, title, missing, software }) => {
    const note = missing ?? (software ? 'in software' : undefined)
    const option = make('option', note ? `${title} (${note})` : title, { value: name })
    option.disabled = missing !== undefined
    return option
  })
  select.replaceChildren(...options)
  select.value = chosen
}

async function begin(): Promise<void> {
  const payload: PagePayload = JSON.parse(element('payload', HTMLScriptElement).text)
  const [view] = payload.views
  const page = new DemoPage(payload, { score: 0.3, iou: payload.decode.iou, view, truth: false })
  const backends = await findBackends()
  const chosen = preferred(backends)
  offer(backends, chosen)
  const controls = listen(page, tell)
  const titleOf = (name: BackendName) => backends.find((backend) => backend.name === name)!.title
  const start = async (name: BackendName): Promise<void> => {
    const select = element('backend', HTMLSelectElement)
    tell(`Starting ${titleOf(name)} …`)
    document.documentElement.dataset.backend = ''
    try {
      await page.start(name)
      await controls.again()
      tell('')
      document.documentElement.dataset.backend = name
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const broken = select.selectedOptions[0]
      if (broken) broken.disabled = true
      const next = [...select.options].find(({ disabled }) => !disabled)?.value as BackendName | undefined
      if (next === undefined) return tell(`Nothing that this browser has runs the networks: ${reason}`, true)
      select.value = next
      await start(next)
      tell(`${titleOf(name)} could not be used (${reason}); this is ${titleOf(next)}.`, true)
    }
  }
  element('backend', HTMLSelectElement).addEventListener('change', (event) => {
    void start((event.target as HTMLSelectElement).value as BackendName)
  })
  await start(chosen)
  globalThis.detectorPage = page
}

begin().catch((error: unknown) => {
  tell(error instanceof Error ? error.message : String(error), true)
})
