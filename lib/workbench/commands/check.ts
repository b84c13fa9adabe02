import { rmSync } from 'node:fs'
import { Command } from 'commander'
import { temporaryFolder } from '../../base'
import { say } from '../say'
import { wholeNumber } from '../whole-number'

/** `check`: a few steps of a profile's teacher and an evaluation, to see whether the profile runs on this machine. */
export function checkCommand(): Command {
  return new Command('check')
    .description("take a few steps with a profile's teacher and evaluate it, to see whether it runs here")
    .option('--profile <name>', 'the profile', 'paper')
    .option('--steps <n>', 'training steps', wholeNumber, 10)
    .option('--batch <n>', 'images a step', wholeNumber, 4)
    .option('--images <n>', 'images to train on and to evaluate on', wholeNumber, 16)
    .action(
      async ({
        profile,
        steps,
        batch,
        images,
      }: {
        profile: string
        steps: number
        batch: number
        images: number
      }) => {
        const { runTrials } = require('../run-trials') as typeof import('../run-trials')
        const { createShownStudy } = require('../study') as typeof import('../study')
        const folder = temporaryFolder('check')
        try {
          const study = await createShownStudy({
            profile,
            out: folder,
            from: 'scratch',
            reduce: { steps, batch, images },
          })
          const [teacher] = study.plan.preparation
          const [result] = await runTrials(study, teacher ? [teacher] : [])
          if (!result) throw new Error(`profile ${profile}: expected a teacher among its trials, found none`)
          const { training, evaluation, complexity } = result.metrics
          const [height, width] = study.profile.detector.input
          say(
            `${profile}: ${steps} steps of ${batch} images at ${width}x${height} (${(complexity.macs / 1e9).toFixed(2)} GMAC an image) in ` +
              `${training?.seconds.toFixed(1)} s, loss ${training?.last.total?.toPrecision(4)}; ${evaluation.images} images evaluated, ` +
              `${evaluation.detections} detections, ${(1000 * evaluation.secondsPerImage).toFixed(0)} ms an image.`,
          )
        } finally {
          rmSync(folder, { recursive: true, force: true })
        }
      },
    )
}
