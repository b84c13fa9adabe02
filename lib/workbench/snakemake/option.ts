import { type Command, Option } from 'commander'

/** An engine other than the built-in runner, with its own options, given after `--` on the command line. */
export interface Engine {
  readonly name: 'snakemake'
  readonly options: readonly string[]
}

/** Adds `--engine` to a command, and the options after `--`. */
export function withEngine(command: Command): Command {
  return command
    .argument('[engine-options...]', "after --: the engine's own options, e.g. -- --executor slurm --jobs 20")
    .addOption(
      new Option('--engine <name>', 'run the trials on an engine other than the built-in one').choices([
        'snakemake',
      ]),
    )
}

/** @throws Error if there are options for an engine that was not requested */
export function parseEngine(
  name: Engine['name'] | undefined,
  options: readonly string[],
): Engine | undefined {
  if (name) return { name, options }
  if (options.length === 0) return undefined
  throw new Error(`expected --engine before the options of an engine, found ${options.join(' ')} without it`)
}
