import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { oneLine, writeAtomically } from '../../base'
import {
  type CheckReport,
  carveValidation,
  checkDataset,
  describeAccount,
  describeLost,
  describeProblem,
  flaggedBoxes,
  IMAGE_MODES,
  type ImageMode,
  lostBoxes,
  openDataset,
  studyLimits,
  tabulateClasses,
  WRITTEN_FORMATS,
  type WritableSet,
  writeDataset,
} from '../../data'
import { type DataOptions, openOptions, withDataOptions } from '../data-options'
import { note, say } from '../say'
import { textTable } from '../text-table'

interface CheckOptions extends DataOptions {
  readonly fix?: string
  readonly to?: string
  readonly keepUnlabelled?: boolean
  readonly profile?: string
  readonly report?: string
  readonly json?: boolean
}

interface ConvertOptions extends Omit<DataOptions, 'images'> {
  readonly to: string
  readonly validation?: number
  readonly images?: { readonly mode?: ImageMode; readonly folder?: string }
}

/** `dataset check` and `dataset convert`: find what is wrong with labelled images, and convert between notations. */
export function datasetCommand(): Command {
  const command = new Command('dataset').description('check and convert folders of labelled images')
  withDataOptions(command.command('check'))
    .description(
      'say what became of every file and list every problem with file and line; exit code 1 if there is one',
    )
    .argument('<directory>', 'folder of the data set')
    .option('--fix <folder>', 'write a cleaned copy to a new folder; the originals stay untouched')
    .addOption(
      new Option(
        '--to <notation>',
        'notation of the cleaned copy; default: a list, or COCO if boxes are difficult, crowds or have areas',
      ).choices([...WRITTEN_FORMATS]),
    )
    .option('--keep-unlabelled', 'keep images without a sound box, as unlabelled images')
    .option('--profile <name>', "also say what a profile's crop and size remove, and what its study lacks")
    .option('--report <file>', 'write a page (.html) with bars, pictures, problems and duplicates')
    .option('--json', 'print everything as JSON')
    .action(check)
  withDataOptions(command.command('convert'), { images: false })
    .description('write a data set in another notation, with its images, so that it can be moved')
    .argument('<directory>', 'folder of the data set')
    .argument('<target>', 'new folder')
    .addOption(
      new Option('--to <notation>', 'notation to write').choices([...WRITTEN_FORMATS]).makeOptionMandatory(),
    )
    .option(
      '--images <mode or folder>',
      'what to do with the images: link (hard links, the default), copy or none; or their folder. May be given twice',
      parseImages,
    )
    .option('--validation <fraction>', 'carve a validation split from training if there is none', parseShare)
    .action(convert)
  return command
}

async function check(directory: string, options: CheckOptions): Promise<void> {
  const { fix, to, json } = options
  const report = await checkDataset(directory, await openOptions(options, directory))
  const { problems, format, classes, counts, account, emptied, found } = report
  const profile = options.profile === undefined ? undefined : withProfile(report, options.profile)
  if (json) {
    const left = emptied.map(({ id }) => id)
    const table = tabulateClasses(found)
    const out = {
      format,
      classes,
      counts,
      table,
      account,
      emptied: left,
      ...(profile && { profile }),
      problems,
    }
    console.log(JSON.stringify(out, null, 2))
  } else say(summary(report))
  if (profile && !json) {
    for (const line of profile.lost) say(`profile ${profile.name}: ${describeLost(line)}`)
    for (const line of profile.limits) say(`profile ${profile.name}: ${line}`)
  }
  if (options.report !== undefined) {
    const { datasetPage } = require('../../report') as typeof import('../../report')
    const name = path.basename(path.resolve(directory))
    writeAtomically(path.resolve(options.report), await datasetPage({ name, report, profile }))
    if (!json) say(`page: ${options.report}`)
  }
  if (fix !== undefined) {
    const clean = options.keepUnlabelled ? withEmptied(report) : report.clean
    const notation = to ?? (flaggedBoxes(clean, 'list') > 0 ? 'coco' : 'list')
    await write(clean, notation, fix, 'link', note)
    if (emptied.length > 0) {
      const what = options.keepUnlabelled ? 'kept without labels' : 'left out (--keep-unlabelled keeps them)'
      note(`${fix}: ${emptied.length} images without a sound box are ${what}:`)
      for (const { id } of emptied) note(`  ${id}`)
    }
    if (!json) say(`cleaned copy (${notation}): ${fix}`)
  }
  if (problems.length > 0 || (profile && profile.limits.length > 0)) process.exitCode = 1
}

/** The effect of a profile on a data set; carves the validation split as a study would. */
function withProfile({ found }: CheckReport, name: string) {
  // Loaded only here: it needs TensorFlow, which a plain check does not.
  const { loadProfile, needsOf } = require('../../study') as typeof import('../../study')
  const profile = loadProfile(name)
  const { train, validation } = found.splits
  const splits = train && !validation ? { ...found.splits, ...carveValidation(train, 0.15) } : found.splits
  const needs = needsOf(profile)
  return {
    name: profile.name,
    lost: lostBoxes(found, needs),
    limits: studyLimits({ classes: found.classes, splits }, needs),
  }
}

async function convert(directory: string, target: string, options: ConvertOptions): Promise<void> {
  const { to, validation = false, images, ...source } = options
  const opened = await openOptions({ ...source, images: images?.folder }, directory)
  const dataset = await openDataset(directory, { ...opened, validation })
  const count = await write(dataset, to, target, images?.mode ?? 'link', note)
  if (dataset.account) say(describeAccount(dataset.account).join('\n'))
  say(`${count} images of ${dataset.classes.length} classes: ${target}`)
}

/** Writes a set and reports deviations from the request, and what the notation cannot store. */
async function write(
  set: WritableSet,
  notation: string,
  target: string,
  mode: ImageMode,
  tell: (line: string) => void,
): Promise<number> {
  const { images, copied, turned, flagged } = await writeDataset(set, notation, target, mode)
  const keeper = notation === 'coco' ? '' : '; --to coco keeps them'
  if (flagged > 0)
    tell(
      `${target}: ${flagged} boxes are difficult, crowds or have areas, which ${notation === 'list' ? 'a list' : notation} does not hold${keeper}`,
    )
  if (copied > 0) tell(`${target}: ${copied} images were copied, since they cannot be linked across disks`)
  if (turned > 0) tell(`${target}: ${turned} images were written upright by their EXIF orientation, as PNG`)
  if (mode === 'none')
    tell(
      notation === 'list' || notation === 'coco'
        ? `${target}: the images stay where they are; --outside reads them from there`
        : `${target}: holds no images; read it with --images and their folder`,
    )
  return images
}

function withEmptied({ clean, emptied }: CheckReport): WritableSet {
  const unlabelled = [
    ...(clean.splits.unlabelled ?? []),
    ...emptied.map((sample) => ({ ...sample, boxes: undefined })),
  ]
  return unlabelled.length === 0 ? clean : { ...clean, splits: { ...clean.splits, unlabelled } }
}

function summary({ problems, format, classes, counts, account, found }: CheckReport): string {
  const lines = [...problems.map(describeProblem), ...describeAccount(account)]
  if (classes.length > 0) lines.push(classTable(found))
  for (const [split, { images, boxes }] of Object.entries(counts))
    lines.push(`${split}: ${images} images, ${boxes} boxes`)
  lines.push(
    `${format}, ${classes.length} classes (${classes.map(oneLine).join(', ')}): ${problems.length} problems`,
  )
  return lines.join('\n')
}

/** Objects, images and sizes of every class by split. */
function classTable(set: WritableSet): string {
  const head = ['class', 'split', 'objects', 'images', 'below 32 px', 'below 96 px', 'larger']
  const rows = tabulateClasses(set).map(({ class: name, split, objects, images, sizes }) => [
    ...[name, split, objects, images],
    ...[sizes.small, sizes.medium, sizes.large],
  ])
  return textTable(head, rows, { words: 2 })
}

/** A mode, or the folder of the images; both may be given. */
function parseImages(text: string, earlier: ConvertOptions['images'] = {}): ConvertOptions['images'] {
  const mode = IMAGE_MODES.find((name) => name === text)
  return mode === undefined ? { ...earlier, folder: text } : { ...earlier, mode }
}

function parseShare(text: string): number {
  const share = Number(text)
  if (!(share > 0 && share < 1)) throw new InvalidArgumentError('expected a fraction between 0 and 1')
  return share
}
