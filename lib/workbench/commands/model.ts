import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { Command } from 'commander'
import { sha256, writeAtomically } from '../../base'
import { note, say } from '../say'

/** Loaded only when needed, not for help. */
const detectors = () => require('../../detector') as typeof import('../../detector')
const checkpoints = () => require('../../train') as typeof import('../../train')

/** `model`: shows a checkpoint, and imports models. */
export function modelCommand(): Command {
  const command = new Command('model').description('show a model, or import one from Darknet')
  command
    .command('show <model>')
    .description(
      'drawing, table by layer and counts of a checkpoint (.json), or of the published "teacher" or "student"; ' +
        'a checkpoint is verified by its hashes',
    )
    .option('--svg <file>', 'also write the drawing as a picture')
    .action((name: string, { svg }: { svg?: string }) => {
      const { darknet21, drawNetwork, STUDENT_WIDTHS, summary, TEACHER_WIDTHS } = detectors()
      const published = new Map([
        ['teacher', TEACHER_WIDTHS],
        ['student', STUDENT_WIDTHS],
      ]).get(name)
      const checkpoint = published ? undefined : checkpoints().loadCheckpoint(name)
      const network = checkpoint?.network ?? darknet21(published)
      say(summary(network))
      if (checkpoint) {
        const { classes, step, training, optimizer, provenance, sha256 } = checkpoint
        say(`classes: ${classes.join(', ')}`)
        say(`step ${step}${training ? ` of ${training.steps}` : ''}, ${optimizer.size} optimizer tensors`)
        say(`SHA-256 of the numbers: ${sha256}`)
        say(`provenance: ${inspect(provenance, { depth: 6, breakLength: 100 })}`)
      }
      if (svg) writeAtomically(svg, drawNetwork(network))
    })
  command
    .command('convert <checkpoints...>')
    .description(
      'write checkpoints (.json) of an earlier version anew in place; their numbers stay as they are',
    )
    .action((files: readonly string[]) => {
      const { loadCheckpoint, saveCheckpoint } = checkpoints()
      for (const file of files) {
        const { sha256: before, ...checkpoint } = loadCheckpoint(file)
        const { sha256 } = saveCheckpoint(file, checkpoint)
        if (sha256 !== before)
          throw new Error(
            `${file}: expected numbers of SHA-256 ${before}, wrote ${sha256}; fetch the file again`,
          )
        console.log(`${file}, SHA-256 of the numbers ${sha256}`)
      }
    })
  command
    .command('import <cfg> <weights> <out>')
    .description(
      "make a checkpoint (.json) from Darknet's files; a weights file may end early, as darknet53.conv.74 does",
    )
    .requiredOption('--classes <file>', 'class names, one a line (.names)')
    .action(
      async (cfgFile: string, weightsFile: string, out: string, { classes: file }: { classes: string }) => {
        const { readClassNames } = require('../../data') as typeof import('../../data')
        const { headsOf, readDarknet } = detectors()
        const { network, weights, seen, warnings, initial } = readDarknet(cfgFile, weightsFile)
        const classes = await readClassNames(file)
        const { classes: number } = headsOf(network)
        if (classes.length !== number) {
          throw new Error(
            `${file}: expected the names of ${number} classes as in ${cfgFile}, found ${classes.length}`,
          )
        }
        const provenance = {
          darknet: { cfg: sha256(readFileSync(cfgFile)), weights: sha256(readFileSync(weightsFile)) },
          seen: String(seen),
          ...(initial.length > 0 && { initial }),
        }
        const model = { network, classes, step: 0, provenance, weights, optimizer: new Map() }
        const saved = checkpoints().saveCheckpoint(out, model)
        for (const warning of warnings) note(warning)
        if (initial.length > 0)
          note(`${weightsFile} ends early; left at their initial values: ${initial.join(', ')}`)
        say(`${out}, SHA-256 of the numbers ${saved.sha256}`)
      },
    )
  return command
}
