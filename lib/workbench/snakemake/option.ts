import { type Command, Option } from 'commander'

/** An engine beside the built-in runner, with its own options as they follow `--` on the command line. */
export interface Engine {
  readonly name: 'snakemake'
  readonly options: readonly string[]
}

/** Gives a command `--engine`, and takes what stands behind `--`. */
export function withEngine(command: Command): Command {
  return command
    .argument(
      '[engine-options...]',
      "behind --: the engine's own options, e.g. -- --executor slurm --jobs 20",
    )
    .addOption(
      new Option('--engine <name>', 'run the trials on another engine than the built-in one').choices([
        'snakemake',
      ]),
    )
}

/** @throws Error where options are given to an engine that is not asked for */
export function parseEngine(
  name: Engine['name'] | undefined,
  options: readonly string[],
): Engine | undefined {
  if (name) return { name, options }
  if (options.length === 0) return undefined
  throw new Error(`expected --engine before the options of an engine, found ${options.join(' ')} without it`)
}
