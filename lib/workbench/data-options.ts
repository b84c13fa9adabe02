import { type Command, Option } from 'commander'
import type { OpenOptions, SplitName, VocPixels } from '../data'
import { FORMATS } from '../data/intake/notations'
import type { DataReading } from '../trial'

/** Options shared by all commands that read labelled images. */
export interface DataOptions {
  readonly format?: string
  readonly annotations?: string
  readonly images?: string
  /** File of class names. */
  readonly classes?: string
  readonly vocPixels?: VocPixels
  readonly outside?: boolean
}

/** Adds the options; with `images: false` the command defines --images itself. */
export function withDataOptions(command: Command, { images = true } = {}): Command {
  command
    .addOption(
      new Option('--format <notation>', 'notation of the labels; detected by default').choices([...FORMATS]),
    )
    .option(
      '--annotations <path>',
      'folder or file of the labels, from the folder of the data set; also the data.yaml to use',
    )
    .option('--classes <file>', 'class names in the order of their numbers, one a line')
  if (images) command.option('--images <folder>', 'folder of the images, from the folder of the data set')
  return command
    .addOption(
      new Option(
        '--voc-pixels <meaning>',
        "VOC numbers: 'corners', or the devkit's 'inclusive' pixels from 1",
      ).choices(['corners', 'inclusive']),
    )
    .option('--outside', 'follow links and paths that lead out of the data folder')
}

/** Adds those of a command that runs models on a profile's images, or on the user's. @param profile what a profile is for */
export function withModelData(command: Command, profile: string): Command {
  return withDataOptions(command)
    .option('--profile <name>', profile, 'default')
    .option('--data <folder>', 'your own data set instead')
}

/** Adds two checkpoints as arguments. */
export const withPair = (command: Command): Command =>
  command.argument('<teacher>', 'a checkpoint (.json)').argument('<student>', 'another')

/** The options as the library takes them, with paths resolved on this disk. */
export async function openOptions(
  options: DataOptions,
  directory: string,
): Promise<Omit<OpenOptions, 'validation' | 'cache' | 'classes'> & { classes?: string[] }> {
  const { givenPath, readClassNames } = require('../data') as typeof import('../data')
  const { format, vocPixels, outside } = options
  const at = (path: string | undefined, option: string) =>
    path === undefined ? undefined : givenPath(directory, path, option)
  const annotations = await at(options.annotations, '--annotations')
  const images = await at(options.images, '--images')
  const classes = options.classes === undefined ? undefined : await readClassNames(options.classes, directory)
  return { format, annotations, images, vocPixels, outside, classes }
}

/** The split that --split names. @throws Error where there is no such split */
export function parseSplit(name: string): SplitName {
  const { splitOfName } = require('../data') as typeof import('../data')
  const split = splitOfName(name)
  if (split === undefined) throw new Error(`--split: expected train, val or test, found ${name}`)
  return split
}

/**
 * How to read the folder of --data, for a study; undefined without such options.
 * @throws Error if there are such options but no --data
 */
export async function readingOf(
  options: DataOptions & { readonly data?: string },
): Promise<DataReading | undefined> {
  const { data, format, annotations, images, classes, vocPixels, outside } = options
  const said = Object.entries({ format, annotations, images, classes, vocPixels, outside }).filter(
    ([, value]) => value !== undefined,
  )
  if (said.length === 0) return undefined
  if (data === undefined)
    throw new Error(`--${said[0]![0]}: expected --data, whose folder it describes, found none`)
  return openOptions(options, data)
}
