import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { inspect } from 'node:util'
import { Command } from 'commander'
import { sha256 } from '../../base'

/** Loaded only when needed, not for help. */
const detectors = () => require('../../detector') as typeof import('../../detector')
const checkpoints = () => require('../../train') as typeof import('../../train')

/** `model`: shows a checkpoint, and exports or imports models. */
export function modelCommand(): Command {
  const command = new Command('model').description('show a model, export it, or import one from Darknet')
  command
    .command('show <model>')
    .description(
      'drawing, table by layer and counts of a checkpoint (.json), or of the published "teacher" or "student"; ' +
        'a checkpoint is verified by its hashes',
    )
    .option('--svg <file>', 'also write the drawing as a picture')
    .action((name: string, { svg }: { svg?: string }) => {
      const { drawNetwork, publishedDetector, STUDENT_WIDTHS, summary, TEACHER_WIDTHS } = detectors()
      const published = new Map([
        ['teacher', TEACHER_WIDTHS],
        ['student', STUDENT_WIDTHS],
      ]).get(name)
      const checkpoint = published ? undefined : checkpoints().loadCheckpoint(name)
      const detector = checkpoint?.detector ?? publishedDetector(published)
      console.log(summary(detector))
      if (checkpoint) {
        const { classes, step, training, optimizer, provenance, sha256 } = checkpoint
        console.log(`classes: ${classes.join(', ')}`)
        console.log(
          `step ${step}${training ? ` of ${training.steps}` : ''}, ${optimizer.size} optimizer tensors`,
        )
        console.log(`SHA-256 of the numbers: ${sha256}`)
        console.log(`provenance: ${inspect(provenance, { depth: 6, breakLength: 100 })}`)
      }
      if (svg) writeFileSync(svg, drawNetwork(detector))
    })
  command
    .command('export <checkpoint> <out>')
    .description(
      "write a checkpoint's model only, without teacher, adapters and optimizer: <out>.json with its .safetensors, or " +
        "Darknet's <out>.cfg with .weights and .names",
    )
    .action((from: string, out: string) => {
      const { encodeWeights, toDarknet } = detectors()
      const { loadCheckpoint, saveCheckpoint, withoutTraining } = checkpoints()
      const model = withoutTraining(loadCheckpoint(from))
      const [name, ending] = [out.replace(/\.\w+$/, ''), path.extname(out)]
      if (path.resolve(from) === path.resolve(out))
        throw new Error(`${out}: expected a file other than ${from}`)
      if (ending === '.json') {
        console.log(`${out}, SHA-256 of the numbers ${saveCheckpoint(out, model).sha256}`)
        return
      }
      if (ending !== '.cfg') throw new Error(`${out}: expected a name that ends in .json or .cfg`)
      const { cfg, weights } = toDarknet(model.detector, model.weights)
      writeFileSync(out, cfg)
      writeFileSync(`${name}.weights`, encodeWeights(weights))
      writeFileSync(`${name}.names`, model.classes.map((label) => `${label}\n`).join(''))
      console.log(`${out}, ${name}.weights, ${name}.names`)
    })
  command
    .command('import <cfg> <weights> <out>')
    .description("make a checkpoint (.json) from Darknet's files of a darknet21-YOLOv3")
    .requiredOption('--classes <file>', 'class names, one a line (.names)')
    .action(
      async (cfgFile: string, weightsFile: string, out: string, { classes: file }: { classes: string }) => {
        const { readClassNames } = require('../../data') as typeof import('../../data')
        const { fromDarknet, readDarknet } = detectors()
        const { cfg, weights } = readDarknet(cfgFile, weightsFile)
        const model = fromDarknet(cfg, weights)
        const classes = await readClassNames(file)
        if (classes.length !== model.config.classes) {
          throw new Error(
            `${file}: expected the names of ${model.config.classes} classes as in ${cfgFile}, found ${classes.length}`,
          )
        }
        const provenance = {
          darknet: { cfg: sha256(readFileSync(cfgFile)), weights: sha256(readFileSync(weightsFile)) },
          seen: String(weights.seen),
        }
        const { config: detector, weights: values } = model
        const saved = checkpoints().saveCheckpoint(out, {
          ...{ detector, classes, step: 0, provenance },
          weights: values,
          optimizer: new Map(),
        })
        console.log(`${out}, SHA-256 of the numbers ${saved.sha256}`)
      },
    )
  return command
}
