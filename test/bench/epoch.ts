/** An epoch of the workbook's own training loop: loader, augmentation, targets, steps, checkpoints. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Sample } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { loadProfile } from '../../lib/study'
import { train } from '../../lib/train'
import { readProblem } from './problem'
import type { Answer, epochSchema } from './protocol'

/**
 * Trains two epochs and measures the second: the first decodes the frames and records the step's graph. From one
 * step's end to another's, so that what the loop does between steps counts.
 */
export async function trainEpoch(request: z.infer<typeof epochSchema>): Promise<Answer<'epoch'>> {
  const { file, samples, batch, precision, augment, assign } = request
  const { options, weights } = readProblem(file)
  const images = JSON.parse(readFileSync(samples, 'utf8')) as readonly Sample[]
  const { recipe, checkpointEvery, logEvery } = loadProfile('default')
  const detector = new Detector(options.teacher, weights.teacher)
  const directory = mkdtempSync(join(tmpdir(), 'epoch-'))
  const stepsPerEpoch = Math.floor(images.length / batch)
  let [begin, end] = [0, 0]
  try {
    const { waitedShare } = await train(
      detector,
      images,
      {
        ...recipe,
        ...{
          steps: 2 * stepsPerEpoch,
          batch,
          seed: 1,
          augment,
          assign,
          loss: options.loss,
          sgd: options.sgd,
        },
        schedule: { kind: 'cosine', rate: options.rate, final: 1 },
        precision,
        eager: false,
        workers: 1,
        checkpointEvery,
        logEvery,
      },
      {
        directory,
        classes: Array.from({ length: detector.config.classes }, (_, i) => `class ${i}`),
        onProgress: ({ step }) => {
          if (step === stepsPerEpoch) begin = performance.now()
          if (step === 2 * stepsPerEpoch) end = performance.now()
        },
      },
    )
    const seconds = (end - begin) / 1000
    return { imagesPerSecond: (stepsPerEpoch * batch) / seconds, seconds, waitedShare }
  } finally {
    detector.dispose()
    rmSync(directory, { recursive: true, force: true })
  }
}
