/**
 * The command line. The command <name> lives in commands/<name>.ts, which exports <name>Command(); only the command
 * that runs is loaded.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { Command, CommanderError } from 'commander'

const folder = path.join(__dirname, 'commands')
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => path.basename(file, '.ts'))
  .sort()

function load(name: string): Command {
  const exported = (require(path.join(folder, name)) as Record<string, unknown>)[`${name}Command`]
  const command: unknown = typeof exported === 'function' ? exported() : undefined
  if (!(command instanceof Command)) {
    throw new Error(
      `${folder}/${name}.ts: expected an export ${name}Command() that returns a Command, found none.`,
    )
  }
  return command
}

async function main(): Promise<void> {
  const program = new Command('workbook')
    .description('Knowledge distillation of a YOLOv3 detector into a pruned student.')
    .option('--debug', 'show where an error comes from')
    .showHelpAfterError('Add --help for what is possible.')
    .exitOverride()
  const asked = process.argv.slice(2).find((argument) => !argument.startsWith('-'))
  const wanted = asked !== undefined && names.includes(asked) ? [asked] : names
  for (const name of wanted) {
    // Commands made elsewhere take over how errors are shown.
    program.addCommand(load(name).copyInheritedSettings(program))
  }
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode)
    if (program.opts().debug) console.error(error)
    else console.error(`\n${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

void main()
