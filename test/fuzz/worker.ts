/** A process that reads changed files, one after another, and tells its parent before each, so that an end is noticed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../lib/base'
import type { CheckReport } from '../../lib/data'
import { mutate } from './mutate'
import { makeTargets, type Target } from './readers'

/** What the parent asks for. */
export interface Order {
  readonly scratch: string
  readonly seed: number
  /** Number of the first input; an input is a function of seed and number. */
  readonly from: number
  /** Number of the last one, which is not read. */
  readonly to: number
}

/** What the parent hears. */
export type Report =
  | { readonly event: 'begin'; readonly number: number; readonly reader: string; readonly file: string }
  | { readonly event: 'end'; readonly outcome: 'read' | 'refused'; readonly failure?: string }
  | { readonly event: 'done' }

/** CPU time that an input may take: reading small files, and something for every byte. */
const [SECONDS, SECONDS_PER_MB] = [3, 20]
/** Errors that are nobody's message. */
const MISTAKES = [RangeError, TypeError, ReferenceError, SyntaxError]

const tell = (report: Report) => void process.send!(report)

/** Reads one input. */
async function attempt(
  target: Target,
  bytes: number,
): Promise<Omit<Extract<Report, { event: 'end' }>, 'event'>> {
  const { folder, named = folder } = target
  const before = process.cpuUsage()
  const [outcome, failure] = await Promise.resolve()
    .then(() => target.read())
    .then(
      (result) => ['read', wrongProblem(result, folder)] as const,
      (error: unknown) => ['refused', wrongError(error, named)] as const,
    )
  const { user, system } = process.cpuUsage(before)
  const seconds = (user + system) / 1e6
  const most = SECONDS + (SECONDS_PER_MB * bytes) / 2 ** 20
  const late = seconds > most ? `took ${seconds.toFixed(1)} s of ${most.toFixed(1)}` : undefined
  return { outcome, failure: failure ?? late }
}

function wrongError(error: unknown, named: string): string | undefined {
  if (!(error instanceof Error)) return `threw what is no error: ${String(error)}`
  const stack = `${error.stack}`.slice(0, 2000)
  if (MISTAKES.some((kind) => error instanceof kind) || error.name === 'ZodError') return stack
  return error.message.includes(named) ? undefined : `does not name its file: ${stack}`
}

/** A check does not throw what it finds: each of its problems must name a file. */
function wrongProblem(result: unknown, folder: string): string | undefined {
  if (!(result instanceof Object && 'problems' in result)) return undefined
  const { problems } = result as CheckReport
  const nameless = problems.find(({ file, message }) => !file.startsWith(folder) || message === '')
  return nameless && `a problem without a file: ${JSON.stringify(nameless)}`
}

async function work({ scratch, seed, from, to }: Order): Promise<void> {
  const targets = await makeTargets(scratch)
  for (let number = from; number < to; number++) {
    const target = targets[number % targets.length]!
    const random = new Random('fuzz', seed, number)
    const content = mutate(random.pick(target.valid), target.form, target.valid, random)
    const file = join(target.folder, target.file)
    writeFileSync(file, content)
    tell({ event: 'begin', number, reader: target.name, file })
    tell({ event: 'end', ...(await attempt(target, content.length)) })
  }
  tell({ event: 'done' })
}

process.once('message', (order: Order) => {
  work(order).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
