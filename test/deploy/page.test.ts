import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { encodePng, renderScene } from '../../lib/data'
import { detectImages, openModel, openSource } from '../../lib/deploy/detect'
import { demoPage, writeDemoPage } from '../../lib/deploy/page'
import { Detector, initialWeights } from '../../lib/detector'
import { scoped, tf } from '../../lib/engine'
import { loadCheckpoint, saveCheckpoint } from '../../lib/train'
import { root } from '../../lib/workbench/project'
import { tinyDetector } from '../train/tiny'
import { pool } from './models'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
)
const skip = executablePath ? false : 'no Chromium (sudo apt-get install -y chromium)'
const FLAGS = [
  ...[
    '--no-sandbox',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-sync',
  ],
  ...['--disable-component-update', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
  ...['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
]
const folder = mkdtempSync(path.join(tmpdir(), 'page-'))
const at = (name: string) => path.join(folder, name)
const PAIR = ['teacher', 'student'].map((name) =>
  path.join(root, 'data/checkpoints', `default-${name}.json`),
) as [string, string]
const CROP = [0, 0.12963, 1, 0.7963] as const
/** Software plays the graphics card, on a machine that is shared. */
const PATIENCE = 240_000

/** The library's own logits of an image, in the order of scales. */
function ownLogits(file: string, pixels: Float32Array): Float32Array[] {
  const { network, weights } = loadCheckpoint(file)
  const detector = new Detector(network, weights)
  const found = scoped(() => {
    const images = tf.tensor4d(pixels, [1, ...network.input, 3])
    return detector
      .forward(images, { training: false })
      .outputs.map((map) => Float32Array.from(map.dataSync()))
  })
  detector.dispose()
  return found
}

/** Pixels of a scene as the networks take them. */
function scenePixels(index: number): Float32Array {
  return Float32Array.from(renderScene({ seed: 9, index }).image.pixels, (value) => value / 255)
}

describe('the page in a browser', { skip }, () => {
  let browser: Browser
  let page: Page
  const problems: string[] = []

  const open = async (file: string, size = { width: 1400, height: 900 }): Promise<Page> => {
    const context = await browser.newContext({ offline: true, viewport: size, colorScheme: 'light' })
    const opened = await context.newPage()
    opened.setDefaultTimeout(PATIENCE)
    opened.on('pageerror', ({ message }) => problems.push(message))
    opened.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(request.url())
    })
    await opened.goto(pathToFileURL(file).href)
    await opened.waitForFunction('document.documentElement.dataset.backend')
    return opened
  }
  const use = async (opened: Page, backend: string): Promise<void> => {
    await opened.selectOption('#backend', backend)
    await opened.waitForFunction(`document.documentElement.dataset.backend === '${backend}'`)
  }
  const text = (selector: string) => page.locator(selector).innerText()
  /** Of what may be folded away too. */
  const content = (selector: string) => page.locator(selector).textContent()
  const rects = (side: string) => page.locator(`#${side}-overlay rect`).count()

  /** The largest difference of the page's logits from the library's own. */
  const difference = async (
    opened: Page,
    files: readonly string[],
    pixels: Float32Array,
  ): Promise<number> => {
    const list = JSON.stringify([...pixels])
    const found = await opened.evaluate<number[][][]>(
      `(async () => {
        const pixels = Float32Array.from(${list})
        const logits = await detectorPage.logits([pixels, pixels])
        return logits.map((maps) => maps.map((map) => [...map]))
      })()`,
    )
    let largest = 0
    files.forEach((file, side) => {
      ownLogits(file, pixels).forEach((map, scale) => {
        assert.equal(found[side]![scale]!.length, map.length)
        map.forEach((value, i) => {
          largest = Math.max(largest, Math.abs(value - found[side]![scale]![i]!))
        })
      })
    })
    return largest
  }

  before(async () => {
    const { bytes } = await writeDemoPage(PAIR, at('page.html'), { crop: CROP })
    assert.ok(bytes < 10_000_000, `${bytes} bytes`)
    browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: FLAGS })
    page = await open(at('page.html'))
  })
  after(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('it prefers WebAssembly to graphics that software plays, and says what else there is', async () => {
    assert.equal(await page.locator('#backend').inputValue(), 'wasm')
    const options = await page.locator('#backend option').allInnerTexts()
    assert.match(options.join(), /WebGL \(in software\)/)
    assert.ok(options.includes('WebAssembly'))
  })

  test('with weights in float16 the logits are within 0.1 of the library’s own, on WebAssembly', async () => {
    const found = await difference(page, PAIR, scenePixels(0))
    assert.ok(found > 1e-4 && found < 0.1, `${found}`)
  })

  test('with weights in float32 they are within 1e-4, on WebAssembly and on WebGL', async () => {
    writeFileSync(at('float32.html'), await demoPage(PAIR, { half: false, scenes: 0 }))
    const opened = await open(at('float32.html'))
    assert.ok((await difference(opened, PAIR, scenePixels(1))) < 1e-4)
    await use(opened, 'webgl')
    assert.ok((await difference(opened, PAIR, scenePixels(1))) < 1e-4)
    await opened.context().close()
  })

  test('detections are drawn, told in words and listed, and the score’s slider acts on them', async () => {
    const count = Number(await text('#teacher-count'))
    assert.ok(count > 0 && (await rects('teacher')) >= count)
    assert.match((await page.locator('#teacher-overlay').getAttribute('aria-label'))!, /^teacher: .*\d\.\d\d/)
    assert.match(await text('#summary'), /found by both/)
    assert.equal(await page.locator('#teacher-rows tr').count(), await rects('teacher'))
    assert.match(await text('#teacher-ms'), /^\d+(\.\d)? ms$/)
    await page.locator('#score').fill('0.95')
    assert.equal(await text('#score-value'), '0.95')
    assert.ok(Number(await text('#teacher-count')) <= count)
    await page.locator('#score').fill('0.05')
    assert.ok(Number(await text('#teacher-count')) > count)
    const loose = Number(await text('#student-count'))
    await page.locator('#iou').fill('0.9')
    assert.ok(Number(await text('#student-count')) > loose)
    await page.locator('#iou').fill('0.45')
    await page.locator('#score').fill('0.3')
    assert.equal(Number(await text('#teacher-count')), count)
  })

  test('every control is reached by the keyboard, in the order of the page, and has a name', async () => {
    await page.locator('#theme').focus()
    const seen = ['theme']
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press('Tab')
      seen.push(await page.evaluate<string>('document.activeElement.id || document.activeElement.tagName'))
    }
    assert.deepEqual(seen, [
      ...['theme', 'source-scenes', 'scene-0', 'score', 'iou', 'view', 'backend', 'truth', 'SUMMARY'],
    ])
    const nameless = await page.evaluate<string[]>(
      `[...document.querySelectorAll('input, select, button')].filter((control) =>
        !(control.labels?.length && [...control.labels].some((label) => label.innerText.trim() || label.querySelector('img[alt]')))
        && !control.textContent.trim()).map((control) => control.id)`,
    )
    assert.deepEqual(nameless, [])
  })

  test('arrow keys go from scene to scene, and what is found is said', async () => {
    const before = await content('#teacher-rows')
    await page.locator('#scene-0').focus()
    await page.keyboard.press('ArrowRight')
    await page.waitForFunction(
      `document.querySelector('#teacher-rows').textContent !== ${JSON.stringify(before)}`,
    )
    assert.equal(await page.locator('#scene-1').isChecked(), true)
    assert.equal(await page.locator('#summary').getAttribute('aria-live'), 'polite')
    await page.locator('#truth').focus()
    await page.keyboard.press('Space')
    await page.waitForFunction(`/right|wrong|missed/.test(document.querySelector('#panels').textContent)`)
    await page.keyboard.press('Space')
  })

  test('an image of one’s own gives what `detect` finds in it', async () => {
    const { image } = renderScene({ seed: 11, index: 2, width: 1920 })
    writeFileSync(at('own.png'), await encodePng(image))
    const models = await Promise.all(PAIR.map((file) => openModel(file)))
    const out = at('own')
    await detectImages(await openSource([at('own.png')]), models, out, {
      outputs: ['csv'],
      writtenScore: 0.3,
    })
    for (const model of models) await model.dispose()
    await page.locator('#source-image').check()
    await page.locator('#image-file').setInputFiles(at('own.png'))
    await page.waitForFunction(
      `document.querySelector('#teacher-canvas').parentElement.style.aspectRatio.startsWith('1920')`,
    )
    for (const side of ['teacher', 'student']) {
      const lines = readFileSync(path.join(out, `default-${side}.csv`), 'utf8')
        .trim()
        .split('\r\n')
        .slice(1)
      const expected = lines
        .map((line) => line.split(','))
        .map(([, , , name, score, ...corners]) => ({
          name,
          score: Number(score),
          corners: corners.map(Number),
        }))
      const rows = await page.evaluate<string[][]>(
        `[...document.querySelectorAll('#${side}-rows tr')].map((row) => [...row.cells].map((cell) => cell.textContent))`,
      )
      const found = rows.filter(([, score]) => score !== '–')
      assert.ok(found.length > 2)
      assert.equal(found.length, expected.length)
      for (const { name, score, corners } of expected) {
        // float16 weights move boxes by a little of 1920 pixels.
        const twin = found.some(
          ([other, given, ...places]) =>
            other === name &&
            Math.abs(Number(given) - score) < 0.03 &&
            corners.every((value, i) => Math.abs(Number(places[i]) - value) < 8),
        )
        assert.ok(twin, `${side}: ${name} ${score} at ${corners} in ${JSON.stringify(found)}`)
      }
    }
  })

  test('a file that is no image is refused in words, and what was there stays', async () => {
    writeFileSync(at('no.png'), 'no image')
    const before = await content('#teacher-rows')
    assert.ok(before)
    await page.locator('#image-file').setInputFiles(at('no.png'))
    await page.locator('#message.error').waitFor()
    assert.match(await text('#message'), /no\.png: expected an image that this browser can show/)
    assert.equal(await content('#teacher-rows'), before)
  })

  test('a video and the camera are looked at frame after frame, until something else is chosen', async () => {
    const video = await page.evaluate<string>(
      `(async () => {
        const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } })
        const recorder = new MediaRecorder(camera, { mimeType: 'video/webm' })
        const parts = []
        recorder.ondataavailable = ({ data }) => parts.push(data)
        const done = new Promise((resolve) => { recorder.onstop = resolve })
        recorder.start(100)
        while (parts.reduce((sum, { size }) => sum + size, 0) < 20000)
          await new Promise((resolve) => requestAnimationFrame(resolve))
        recorder.stop()
        await done
        for (const track of camera.getTracks()) track.stop()
        const bytes = new Uint8Array(await new Blob(parts).arrayBuffer())
        return btoa([...bytes].map((byte) => String.fromCharCode(byte)).join(''))
      })()`,
    )
    writeFileSync(at('a.webm'), Buffer.from(video, 'base64'))
    await page.locator('#source-video').check()
    await page.locator('#video-file').setInputFiles(at('a.webm'))
    const ratio = (width: number) =>
      page.waitForFunction(
        `document.querySelector('#student-canvas').parentElement.style.aspectRatio.startsWith('${width} ')`,
      )
    await ratio(320)
    await page.locator('#pause').click()
    assert.equal(await text('#pause'), 'Go on')
    await page.locator('#source-camera').check()
    assert.equal(await page.locator('#pause').isVisible(), false)
    await page.locator('#camera-start').click()
    await ratio(1280)
    await page.locator('#source-scenes').check()
    await ratio(640)
    assert.equal(await page.evaluate(`document.querySelector('#player').srcObject`), null)
  })

  test('nothing is wider than a telephone, in both colours every text has enough contrast', async () => {
    const small = await open(at('page.html'), { width: 390, height: 844 })
    for (const theme of ['light', 'dark']) {
      await small.evaluate(`document.documentElement.dataset.theme = '${theme}'`)
      assert.ok((await small.evaluate<number>('document.documentElement.scrollWidth')) <= 390)
      const poor = await small.evaluate<string[]>(
        `(() => {
          const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number)
          const channel = (value) => value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
          const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
          const background = (element) => {
            for (let e = element; e; e = e.parentElement) {
              const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor)
              if (a === 1) return [r, g, b]
            }
            return [255, 255, 255]
          }
          const texts = [...document.querySelectorAll('h1, h2, p, span, label, legend, dt, dd, summary, th, td, li, button, select, output')]
          return texts.filter((element) => element.innerText.trim() && element.offsetParent).flatMap((element) => {
            const [light, dark] = [luminance(numbers(getComputedStyle(element).color)), luminance(background(element))].sort((a, b) => b - a)
            const ratio = (light + 0.05) / (dark + 0.05)
            return ratio < 4.5 ? [element.tagName + ' ' + element.innerText + ' ' + ratio.toFixed(2)] : []
          })
        })()`,
      )
      assert.deepEqual(poor, [], theme)
    }
    await small.context().close()
  })

  test('networks of other classes, sizes and names run too, on images of one’s own', async () => {
    const files = ['<a>', 'b'].map((name, i) => {
      const network = tinyDetector({
        classes: 2,
        input: [64 + 32 * i, 96],
        upsample: i === 0 ? 'deconv' : 'nearest',
      })
      const file = at(`${name}.json`)
      saveCheckpoint(file, {
        ...{ network, classes: i === 0 ? ['<i>cat', 'dog'] : ['dog', '<i>cat'], step: 0, provenance: {} },
        ...{ weights: initialWeights(network, i), optimizer: new Map() },
      })
      return file
    }) as [string, string]
    await assert.rejects(demoPage(files), /expected images of its own .*--images/)
    writeFileSync(at('scene.png'), await encodePng(renderScene({ seed: 2, index: 0 }).image))
    writeFileSync(
      at('tiny.html'),
      await demoPage(files, { images: [at('scene.png')], half: false, fit: 'pad' }),
    )
    const tiny = await open(at('tiny.html'))
    await tiny.locator('#score').fill('0.05')
    assert.equal(await tiny.locator('#truth').isVisible(), false)
    assert.equal(await tiny.locator('i').count(), 0)
    const sizes = await tiny.evaluate<number[][]>(
      `(async () => {
        const logits = await detectorPage.logits([new Float32Array(64 * 96 * 3), new Float32Array(96 * 96 * 3)])
        return logits.map((maps) => maps.map(({ length }) => length))
      })()`,
    )
    assert.deepEqual(sizes, [
      [6 * 21, 24 * 21, 96 * 21],
      [9 * 21, 36 * 21, 144 * 21],
    ])
    await tiny.context().close()
  })

  test('networks of one head run; an image that is far too tall is drawn as high as there is room', async () => {
    const one = at('one.json')
    saveCheckpoint(one, pool())
    const tall = { width: 3, height: 2000, pixels: new Uint8Array(3 * 3 * 2000).fill(200) }
    writeFileSync(at('tall.png'), await encodePng(tall))
    writeFileSync(at('one.html'), await demoPage([one, one], { images: [at('tall.png')], half: false }))
    const shown = await open(at('one.html'))
    const lengths = await shown.evaluate<number[][]>(
      `detectorPage.logits([new Float32Array(64 * 96 * 3), new Float32Array(64 * 96 * 3)])
        .then((logits) => logits.map((maps) => maps.map(({ length }) => length)))`,
    )
    assert.deepEqual(lengths, [[16 * 24 * 26], [16 * 24 * 26]])
    const [height, middle] = await shown.evaluate<[number, number]>(
      `(() => {
        const canvas = document.querySelector('#teacher-canvas')
        const { data } = canvas.getContext('2d').getImageData(0, canvas.height >> 1, 1, 1)
        return [canvas.height, data[0]]
      })()`,
    )
    assert.ok(height > 400 && height < 3000, String(height))
    assert.ok(Math.abs(middle - 200) <= 2, String(middle))
    await shown.context().close()
  })

  test('no page asked for anything from elsewhere, or failed', () => {
    assert.deepEqual(problems, [])
  })
})
