import { existsSync } from 'node:fs'
import path from 'node:path'
import { type Command, Option } from 'commander'
import { type DataOptions, readingOf, withDataOptions } from './data-options'
import type { WorkbookOptions } from './workbook'

/** Options shared by all commands that open a study. */
export interface StudyOptions extends DataOptions {
  readonly profile: string
  readonly set: readonly string[]
  readonly data?: string
  readonly seeds?: string
  readonly full?: boolean
  readonly out?: string
  readonly from?: string
  readonly teacher?: readonly string[]
  readonly student?: readonly string[]
  readonly newHeads?: boolean
  readonly tensorboard?: boolean
}

/** Adds `--set`, which may be given several times. */
export function withSet(command: Command, what: string, example: string): Command {
  return command.addOption(
    new Option(
      '--set <key=value>',
      `another value for a key of the ${what}, e.g. ${example}; as often as you like`,
    )
      .argParser((value: string, before: readonly string[]) => [...before, value])
      .default([], 'none'),
  )
}

/** Adds the options of models of one's own. */
export function withModelOptions(command: Command): Command {
  return command
    .option(
      '--teacher <files...>',
      "a teacher of your own: a checkpoint (.json), or Darknet's .cfg with or without its weights; class names are taken from " +
        'the checkpoint, or from a .names file given with it or beside the .cfg',
    )
    .option('--student <files...>', 'a student of your own, in the same way, instead of the slimmed teacher')
    .option('--new-heads', 'give them new heads for the classes of the data, which are trained')
}

/** Adds `--tensorboard`. */
export function withTensorboard(command: Command): Command {
  return command.option(
    '--tensorboard',
    'write losses, rate, speed and validation as TensorBoard event files too, in the output folder',
  )
}

/** Adds the options. */
export function withStudyOptions(command: Command): Command {
  command.option(
    '--profile <name>',
    'smoke, default, paper, or a .yaml file (`extends: default` and what differs)',
    'default',
  )
  withSet(command, 'profile', 'stages.distill.steps=500')
  return withTensorboard(withModelOptions(withDataOptions(command)))
    .option(
      '--data <folder>',
      'your own data set, in any notation that `dataset check` reads, instead of the rendered scenes',
    )
    .option('--out <folder>', 'folder for all output; whatever is finished there is not repeated')
    .option('--seeds <list>', 'random seeds, e.g. 1,2,3')
    .option(
      '--from <start>',
      'take the shipped teacher and student ("student", the default), slim the shipped teacher again ("teacher"), or train everything ("scratch")',
    )
    .addOption(new Option('--from-scratch', 'short for --from scratch').implies({ from: 'scratch' }))
    .option('--full', 'the long version of the profile: more seeds, finer ablations')
}

/**
 * The options in the library's form.
 * @throws Error naming a wrong option, before anything runs
 */
export async function workbookOptions(given: StudyOptions): Promise<WorkbookOptions> {
  const { loadProfile } = require('../study') as typeof import('../study')
  const { defaultOut, parseSeeds, parseStart } =
    require('./study-settings') as typeof import('./study-settings')
  const { profile, set, data, seeds, full, teacher, student, newHeads, tensorboard } = given
  loadProfile(profile, set)
  if (seeds !== undefined) parseSeeds(seeds)
  if (data !== undefined && !existsSync(data))
    throw new Error(`--data ${data}: expected a folder with a data set, found nothing`)
  const reading = await readingOf(given)
  const { givenFiles } = require('../trial') as typeof import('../trial')
  if (teacher) givenFiles(teacher, '--teacher')
  if (student) givenFiles(student, '--student')
  const models = { teacher, student, newHeads }
  const out = path.resolve(given.out ?? defaultOut(profile, data, set, models))
  return {
    profile,
    set,
    data,
    reading,
    seeds,
    full,
    out,
    from: parseStart(given.from),
    ...models,
    tensorboard,
  }
}
