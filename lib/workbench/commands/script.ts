import { Command } from 'commander'

/** `script`: setup/main.cjs starts the script itself; this only defines the arguments, for help and errors. */
export function scriptCommand(): Command {
  return new Command('script')
    .description(
      'run a script (.ts, .mts, .cts, .js, .mjs, .cjs) with everything set up: TypeScript, TensorFlow, and a GPU if there ' +
        "is one. It imports the library as 'detector-distillation-workbook', or a room of it as " +
        "'detector-distillation-workbook/losses'. A file with top-level await must end in .mts or .mjs, or be where " +
        'package.json has "type": "module".',
    )
    .argument('<file>', 'the script')
    .argument('[arguments...]', "the script's own")
    .action((file: string) => {
      throw new Error(`script: expected the file before its arguments, found ${file} after an option`)
    })
}
