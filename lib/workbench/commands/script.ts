import { Command } from 'commander'

/** `script`: a script instead of a command, which setup/main.cjs starts; here is what it takes, for help and complaints. */
export function scriptCommand(): Command {
  return new Command('script')
    .description(
      'run a script (.ts, .mts, .cts, .js, .mjs, .cjs) with everything set up: TypeScript, TensorFlow, and a GPU where there ' +
        "is one. It imports the library as 'detector-distillation-workbook', or a room of it as " +
        "'detector-distillation-workbook/losses'. A file with an await at its top ends in .mts or .mjs, or stands where " +
        'package.json has "type": "module".',
    )
    .argument('<file>', 'the script')
    .argument('[arguments...]', "the script's own")
    .action((file: string) => {
      throw new Error(`script: expected the file before its arguments, found ${file} behind an option`)
    })
}
