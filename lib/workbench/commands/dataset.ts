import { Command, InvalidArgumentError, Option } from 'commander'
import {
  type CheckReport,
  type CleanSet,
  checkDataset,
  describeProblem,
  FORMATS,
  type Format,
  flaggedBoxes,
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
    .option('--fix <folder>', 'write cleaned annotations to a new folder; the originals stay as they are')
    .addOption(
      new Option(
        '--to <notation>',
        'of the cleaned annotations; a list, or COCO where boxes are difficult, crowds or have areas',
      ).choices(['coco', 'list']),
    )
    .option('--json', 'print the report as JSON')
    .action(async (directory: string, options: Source & { fix?: string; to?: Notation; json?: boolean }) => {
      const { fix, to, json, ...source } = options
      const report = await checkDataset(directory, source)
      const { problems, format, classes, counts, clean } = report
      const notation = to ?? (flaggedBoxes(clean) > 0 ? 'coco' : 'list')
      if (fix !== undefined) await write(clean, notation, fix)
      console.log(json ? JSON.stringify({ format, classes, counts, problems }, null, 2) : summary(report))
      if (fix !== undefined && !json) console.log(`cleaned annotations (${notation}): ${fix}`)
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
        await write(dataset, to, target)
        const images = Object.values(dataset.splits).reduce((sum, samples) => sum + samples.length, 0)
        console.log(`${images} images of ${dataset.classes.length} classes: ${target}`)
      },
    )
  return command
}

/** Says on the error output what a list cannot hold. */
async function write(set: CleanSet, notation: Notation, target: string): Promise<void> {
  await writeAnnotations(set, notation, target)
  const flagged = flaggedBoxes(set)
  if (notation === 'list' && flagged > 0) {
    console.error(
      `${target}: ${flagged} boxes are difficult, crowds or have areas, which a list does not hold; --to coco keeps them`,
    )
  }
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
