/**
 * The command line: `npx workbook <command>`. A command is an entry of commands.json and commands/<name>.ts, which exports
 * <name>Command(). Only the requested command is loaded, and its heavy modules only when it runs, so help is quick.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import entries from './commands.json'
import { fail } from './program'
import { root } from './project'

interface Entry {
  readonly summary: string
  /** Left out of the list of commands: for other programs and for developers. */
  readonly hidden?: boolean
  /** Program to start instead of this one; see setup/main.cjs. */
  readonly program?: string
}
const COMMANDS = new Map<string, Entry>(Object.entries(entries))

const words = process.argv.slice(2)
const end = words.indexOf('--')
const own = end < 0 ? words : words.slice(0, end)

// What it starts, such as the kernels of JupyterLab, shows it too.
if (own.includes('--debug')) process.env.WORKBOOK_DEBUG = '1'
const stop = (error: unknown) => fail(error, own.includes('--debug'))

function load(name: string): Command {
  const file = path.join(__dirname, 'commands', name)
  const exported = (require(file) as Record<string, unknown>)[`${name}Command`]
  const command: unknown = typeof exported === 'function' ? exported() : undefined
  if (!(command instanceof Command))
    throw new Error(`${file}.ts: expected an export ${name}Command() that returns a Command, found none.`)
  return command
}

/** Commands are made elsewhere, so they must inherit how errors are shown. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent)
  for (const below of command.commands) inherit(below, command)
  return command
}

function version(): string {
  const about: unknown = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  return String(about && typeof about === 'object' && 'version' in about ? about.version : 'unknown')
}

async function main(): Promise<void> {
  const program = new Command('npx workbook')
    .description('Knowledge distillation of a YOLOv3 detector into a pruned student.')
    .option('--debug', 'show where an error comes from')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'show this, or the help of a command')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('Add --help for what is possible.')
    .exitOverride()
  const [first, second] = own.filter((word) => !word.startsWith('-'))
  const asked = first === 'help' ? second : first
  for (const [name, { summary, hidden = false, program: other }] of COMMANDS) {
    const command = name === asked && other === undefined ? inherit(load(name), program) : new Command(name)
    program.addCommand(command.summary(summary), { hidden })
  }
  if (asked === undefined && own.length === 0) program.help()
  // Followed by --help, a wrong command would count as none.
  const isWrong = first !== undefined && first !== 'help' && !COMMANDS.has(first)
  await program.parseAsync(isWrong ? [first] : words, { from: 'user' })
}

process.on('uncaughtException', stop).on('unhandledRejection', stop)
main().catch(stop)
