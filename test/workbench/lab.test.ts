import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { executeNotebooks } from '../../lib/workbench/notebooks'
import { root } from '../../lib/workbench/project'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
)
const skip = executablePath ? false : 'no Chromium (sudo apt-get install -y chromium)'

const folder = path.join(root, `runs/lab-test-${process.pid}`) // JupyterLab shows no hidden folders
const profile = mkdtempSync(path.join(tmpdir(), 'lab-test-'))
const flags = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking'
const moreFlags = '--disable-component-update --disable-sync'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function startLab(port: number): Promise<ChildProcess> {
  const bootstrap = path.join(root, 'lib/workbench/bootstrap.cjs')
  const own = ['--profile', 'smoke', '--set', 'stages.distill.steps=7', '--out', folder]
  const jupyter = [`--port=${port}`, '--no-browser', '--IdentityProvider.token=', '--ServerApp.password=']
  const options = [...own, '--', ...jupyter]
  const env = { ...process.env, JUPYTERLAB_SETTINGS_DIR: profile, JUPYTERLAB_WORKSPACES_DIR: profile }
  const lab = spawn(process.execPath, [bootstrap, 'lab', ...options], { env, stdio: 'ignore' })
  for (let i = 0; i < 240; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/status`).catch(() => null)
    if (answer?.ok) return lab
    assert.equal(lab.exitCode, null, 'JupyterLab ended before it answered')
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  lab.kill('SIGTERM')
  throw new Error('JupyterLab did not answer within a minute')
}

describe('JupyterLab in a browser', { skip }, () => {
  let lab: ChildProcess
  let browser: Browser
  let page: Page

  const open = async (name: string): Promise<void> => {
    await page.goto(`${new URL(page.url()).origin}/lab/tree/runs/${path.basename(folder)}/${name}?reset`)
    await page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook.jp-mod-commandMode').waitFor()
    await page.getByText('TypeScript | Idle').waitFor()
  }
  const run = async (command: string): Promise<void> => {
    await page
      .getByRole('menuitem', { name: command.split('>')[0] ?? '', exact: true })
      .first()
      .click()
    await page
      .getByRole('menuitem', { name: command.split('>')[1] ?? '' })
      .first()
      .click()
  }

  before(async () => {
    mkdirSync(folder, { recursive: true })
    for (const name of ['small.ipynb', 'working.ipynb']) {
      copyFileSync(path.join(root, 'test/workbench/fixtures', name), path.join(folder, name))
    }
    const port = await freePort()
    lab = await startLab(port)
    browser = await chromium.launch({
      ...(executablePath ? { executablePath } : {}),
      args: [...flags.split(' '), ...moreFlags.split(' ')],
    })
    page = await browser.newPage()
    page.setDefaultTimeout(60_000)
    await page.goto(`http://127.0.0.1:${port}/lab?reset`)
  })
  after(async () => {
    await browser?.close()
    if (lab) {
      lab.kill('SIGTERM')
      await once(lab, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
    rmSync(profile, { recursive: true, force: true })
  })

  test('opens on the index of working copies, whose first cell says what they work on', async () => {
    const { origin } = new URL(page.url())
    await page.goto(`${origin}/`)
    await page.waitForURL(`**/lab/tree/runs/${path.basename(folder)}/lab/index.ipynb`)
    // The list of chapters is there before anything was run.
    await page.locator('.jp-RenderedMarkdown', { hasText: 'How does a detector learn?' }).waitFor()
    await open('lab/01-data.ipynb')
    await page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell').first().click()
    await run('Run>Run Selected Cell')
    const said = page.locator('.jp-RenderedMarkdown', { hasText: 'Profile smoke' }).last()
    await said.waitFor()
    const text = await said.innerText()
    assert.match(
      text,
      /Profile smoke with stages\.distill\.steps = 7, data .* \(96 train, 32 validation, 32 test\)\./,
    )
    assert.match(text, /\d+ of \d+ trials known so far are still to be computed \(\d+ training steps\)/)
    assert.match(text, new RegExp(`kept in ${path.relative(root, folder)}\\.`))
  })

  test('runs a notebook and shows its figure, table and bar', async () => {
    await open('small.ipynb')
    await run('Run>Run All Cells')
    const bar = page.locator('.workbook-bar')
    await bar.waitFor()
    await page.getByText('steps 100 % (5/5)').waitFor()
    assert.equal(
      await bar.evaluate((element) => (element as unknown as { style: { width: string } }).style.width),
      '100%',
    )
    await page.locator('.js-plotly-plot .trace').first().waitFor()
    assert.match(await page.locator('.js-plotly-plot .gtitle').first().innerHTML(), /Squares/)
    assert.equal(await page.locator('.jp-RenderedHTML table tbody tr').count(), 2)
    // As a dark theme marks the page.
    const filterOf = (light: string) =>
      page.evaluate(`(() => {
        document.body.dataset.jpThemeLight = '${light}'
        return getComputedStyle(document.querySelector('.js-plotly-plot')).filter
      })()`)
    assert.equal(await filterOf('true'), 'none')
    assert.equal(await filterOf('false'), 'invert(1) hue-rotate(180deg)')
  })

  test('stops the work of a cell that is interrupted', async () => {
    await open('working.ipynb')
    await run('Run>Run All Cells')
    await page.getByText(/steps [1-9]\d* %/).waitFor() // its bar is moving
    await run('Kernel>Interrupt Kernel')
    await page
      .locator('[data-mime-type="application/vnd.jupyter.stderr"]', { hasText: 'Interrupted' })
      .waitFor()
    await page.getByText('TypeScript | Idle').waitFor()
    await page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell').last().click()
    await run('Run>Run Selected Cell')
    await page.locator('.jp-OutputArea-output', { hasText: 'the work has stopped' }).waitFor()
  })

  test('opens an exported page without a network, with its figures, formulae and bar', async () => {
    const [exported] = await executeNotebooks({
      notebooks: [path.join(root, 'test/workbench/fixtures/small.ipynb')],
      outDir: path.join(folder, 'exported'),
    })
    const context = await browser.newContext({ offline: true })
    const offline = await context.newPage()
    const problems: string[] = []
    offline.on('pageerror', ({ message }) => problems.push(message))
    offline.on('requestfailed', (request) => problems.push(request.url()))
    offline.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(request.url())
    })
    await offline.goto(pathToFileURL(exported!.html).href)
    await offline.locator('.js-plotly-plot .trace').first().waitFor()
    assert.match(await offline.locator('.js-plotly-plot .gtitle').first().innerHTML(), /Squares/)
    assert.ok((await offline.locator('math').first().boundingBox())!.width > 0)
    await offline.getByText('steps 100 % (5/5)').waitFor()
    assert.deepEqual(problems, [])
    await context.close()
  })
})
