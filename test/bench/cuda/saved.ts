/** A run in parts, each with its share of the time, saved after every part, so that another start goes on with what is missing. */
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { readDocument, writeAtomically } from '../../../lib/base'
import { rounded } from '../main'

const outcome = z
  .object({
    /** `cut`: its time was over. */
    state: z.enum(['done', 'cut', 'failed']),
    seconds: z.number(),
    /** Why it was cut or failed. */
    reason: z.string().optional(),
    /** What it measured, to read and as numbers. */
    text: z.array(z.string()).optional(),
    result: z.unknown(),
  })
  .strict()
export type Outcome = z.infer<typeof outcome>

/** The content of the file. */
export const savedSchema = z
  .object({
    format: z.literal('benchmark-cuda/1'),
    /** Of the code: results of two commits are not mixed. */
    commit: z.string(),
    date: z.string(),
    machine: z.unknown(),
    parts: z.record(outcome),
  })
  .strict()
type Saved = z.infer<typeof savedSchema>

export interface Part {
  readonly name: string
  /** Seconds. What a part leaves of them is the next one's. */
  readonly budget: number
  /** @param limit aborts when the part's time is over */
  run(limit: AbortSignal): Promise<{ readonly text: string; readonly result: unknown }>
}

export interface SavedRun {
  readonly file: string
  readonly commit: string
  readonly machine: unknown
  readonly parts: readonly Part[]
  /** Ends the whole run. */
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

/** The parts of a file; none if there is no file, or another commit wrote it. */
export function savedParts(file: string, commit: string): Saved['parts'] {
  if (!existsSync(file)) return {}
  const saved = readDocument(file, savedSchema)
  return saved.commit === commit ? saved.parts : {}
}

/**
 * Runs the parts that are not done, one after another, and saves each. One that fails, or has no time left, leaves the others as
 * they are.
 *
 * @returns the parts, those of earlier starts too
 * @throws the reason of `signal`; the part that was running is missing then
 */
export async function runParts(run: SavedRun): Promise<Saved['parts']> {
  const { file, commit, machine, signal, onProgress } = run
  let parts = savedParts(file, commit)
  const begin = performance.now()
  /** Seconds from the start to the end of the present part. */
  let end = 0
  for (const part of run.parts) {
    if (parts[part.name]?.state === 'done') {
      onProgress(`${part.name}: done before`)
      continue
    }
    end += part.budget
    const from = (performance.now() - begin) / 1000
    onProgress(`${part.name}, at most ${(end - from).toFixed(0)} s`)
    const found = await outcomeOf(part, end - from, signal)
    parts = { ...parts, [part.name]: found }
    const saved: Saved = {
      format: 'benchmark-cuda/1',
      commit,
      date: new Date().toISOString(),
      machine,
      parts,
    }
    writeAtomically(file, `${JSON.stringify(saved, rounded, 1)}\n`)
  }
  return parts
}

async function outcomeOf(part: Part, seconds: number, signal: AbortSignal): Promise<Outcome> {
  const begin = performance.now()
  const late = AbortSignal.timeout(Math.max(1, Math.round(1000 * seconds)))
  const taken = () => (performance.now() - begin) / 1000
  try {
    const { text, result } = await part.run(AbortSignal.any([signal, late]))
    return { state: 'done', seconds: taken(), text: text.split('\n'), result }
  } catch (error) {
    signal.throwIfAborted()
    if (late.aborted) return { state: 'cut', seconds: taken(), reason: `not done in ${seconds.toFixed(0)} s` }
    return {
      state: 'failed',
      seconds: taken(),
      reason: error instanceof Error ? error.message : String(error),
    }
  }
}

/** The parts as text. */
export function describeParts(parts: Saved['parts']): string {
  return Object.entries(parts)
    .map(([name, { state, seconds, reason, text = [] }]) =>
      [`\n${name}: ${state}${reason ? `, ${reason}` : ''} (${seconds.toFixed(1)} s)`, ...text].join('\n'),
    )
    .join('\n')
}
