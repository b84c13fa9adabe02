import { Command, InvalidArgumentError, Option } from 'commander'
import {
  type CheckReport,
  checkDataset,
  describeProblem,
  FORMATS,
  type Format,
  type Notation,
  openDataset,
  writeAnnotations,
} from '../../data'

interface Source {
  readonly format?: Format
  readonly annotations?: string
  readonly images?: string
  readonly vocPixels?: 'corners' | 'inclusive'
}

/** `dataset check` and `dataset convert`: what is wrong with labelled images, and other notations for them. */
export function datasetCommand(): Command {
  const command = new Command('dataset').description('check and convert folders of labelled images')
  withSource(command.command('check'))
    .description('list every problem of a data set with file and line; exit code 1 when there is one')
    .option(
      '--fix <folder>',
      'write cleaned annotation lists to a new folder; the originals stay as they are',
    )
    .option('--json', 'print the report as JSON')
    .action(async (directory: string, options: Source & { fix?: string; json?: boolean }) => {
      const { fix, json, ...source } = options
      const report = await checkDataset(directory, source)
      if (fix !== undefined) await writeAnnotations(report.clean, 'list', fix)
      const { problems, format, classes, counts } = report
      console.log(json ? JSON.stringify({ format, classes, counts, problems }, null, 2) : summary(report))
      if (fix !== undefined && !json) console.log(`cleaned annotation lists: ${fix}`)
      if (problems.length > 0) process.exitCode = 1
    })
  withSource(command.command('convert'))
    .description('write the annotations of a data set in another notation; images stay where they are')
    .argument('<target>', 'new folder')
    .addOption(
      new Option('--to <notation>', 'notation to write').choices(['coco', 'list']).makeOptionMandatory(),
    )
    .option('--validation <share>', 'carve a validation split from training where there is none', parseShare)
    .action(
      async (directory: string, target: string, options: Source & { to: Notation; validation?: number }) => {
        const { to, validation = false, ...source } = options
        const dataset = await openDataset(directory, { ...source, validation })
        await writeAnnotations(dataset, to, target)
        const images = Object.values(dataset.splits).reduce((sum, samples) => sum + samples.length, 0)
        console.log(`${images} images of ${dataset.classes.length} classes: ${target}`)
      },
    )
  return command
}

function withSource(command: Command): Command {
  return command
    .argument('<directory>', 'folder of the data set')
    .addOption(new Option('--format <notation>', 'notation; recognised by default').choices(FORMATS))
    .option('--annotations <path>', 'folder or file of the annotations, from the folder of the data set')
    .option('--images <path>', 'folder of the images, from the folder of the data set')
    .addOption(
      new Option(
        '--voc-pixels <meaning>',
        "VOC numbers: 'corners', or the devkit's 'inclusive' pixels from 1",
      ).choices(['corners', 'inclusive']),
    )
}

function summary({ problems, format, classes, counts }: CheckReport): string {
  const lines = problems.map(describeProblem)
  for (const [split, { images, boxes }] of Object.entries(counts))
    lines.push(`${split}: ${images} images, ${boxes} boxes`)
  lines.push(`${format}, ${classes.length} classes (${classes.join(', ')}): ${problems.length} problems`)
  return lines.join('\n')
}

function parseShare(text: string): number {
  const share = Number(text)
  if (!(share > 0 && share < 1)) throw new InvalidArgumentError('expected a share between 0 and 1')
  return share
}
