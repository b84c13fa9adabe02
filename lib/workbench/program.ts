/** What the command line and the programs of test/ that commands.json names have in common. */
import { inspect } from 'node:util'
import { type Command, CommanderError } from 'commander'
import { SOME_FAILED } from './exit'
import { note } from './say'

/** Errors that are bugs, not messages to the user. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError]

/** Prints what went wrong, with --debug also where, and ends the process. */
export function fail(error: unknown, isDebug: boolean): never {
  if (error instanceof CommanderError) process.exit(error.exitCode)
  note(isDebug ? inspect(error) : `\n${describe(error)}`)
  process.exit(isOfTrials(error) ? SOME_FAILED : 1)
}

/** Whether trials failed that nothing can go on without, here or in a notebook's cell. */
function isOfTrials(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('reason' in error ? error.reason : error.name) === 'TrialsFailed'
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'ENOENT' && 'path' in error)
    return `${error.path}: expected a file or a folder, found nothing`
  if (MISTAKES.some((kind) => error instanceof kind))
    return `${error.name}: ${error.message}\n--debug shows where this comes from.`
  return error.message
}

/** Runs a command that is a program of its own. */
export function startProgram(program: Command): void {
  program
    .option('--debug', 'show where an error comes from')
    .showHelpAfterError('Add --help for what is possible.')
  const stop = (error: unknown) => fail(error, program.opts().debug === true)
  process.on('uncaughtException', stop).on('unhandledRejection', stop)
  program.parseAsync().catch(stop)
}
