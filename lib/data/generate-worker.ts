import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import sharp from 'sharp'
import { sha256, spaceError } from '../base'
import type { RenderAnswer, RenderTask } from './generate'
import { encodePng } from './images'
import { fileName, type RenderedImage } from './scene-files'
import { renderScene } from './scenes'

// Body of a rendering thread: receives a run of images, writes their files, returns their boxes.
const port = parentPort
if (port === null) throw new Error('generate-worker.ts: expected to run as a thread of generateScenes')
sharp.concurrency(1)

port.on('message', async ({ folder, first, count, options }: RenderTask) => {
  let answer: RenderAnswer
  try {
    const images: RenderedImage[] = []
    for (let index = first; index < first + count; index++) {
      const { image, boxes } = renderScene({ ...options, index })
      const file = join(folder, fileName(index))
      const bytes = await encodePng(image)
      await writeFile(file, bytes).catch((error) => {
        throw spaceError(error, file, bytes.length)
      })
      images.push({ pixels: sha256(image.pixels), digest: sha256(bytes), boxes })
    }
    answer = { images }
  } catch (error) {
    answer = { error }
  }
  port.postMessage(answer)
})
