import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import sharp from 'sharp'
import { sha256 } from '../base'
import { fileName, type RenderAnswer, type RenderedImage, type RenderTask } from './generate'
import { encodePng } from './images'
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
      await writeFile(join(folder, fileName(index)), await encodePng(image))
      images.push({ pixels: sha256(image.pixels), boxes })
    }
    answer = { images }
  } catch (error) {
    answer = { error }
  }
  port.postMessage(answer)
})
