/** A Python process that runs nbconvert tasks; see nbconvert_worker.py. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { pythonProgram, root } from './project'

export type NbconvertTask =
  | { readonly task: 'execute'; readonly notebook: string; readonly to: string; readonly partial: string }
  | { readonly task: 'page'; readonly notebook: string; readonly to: string; readonly templates: string }

export interface NbconvertWorker {
  /** Runs a task; resolves with what went wrong, or undefined. One at a time. */
  run(task: NbconvertTask): Promise<string | undefined>
  /** Ends the process and its kernel after the current task; resolves when it has ended. */
  end(): Promise<void>
}

const answerSchema = z.object({ error: z.string().optional() }).strict()

/** Time to end after SIGTERM. */
const PATIENCE_MS = 8000
/** Lines of the process's output to keep. */
const KEPT_LINES = 25

/**
 * Starts the process detached from the terminal's Ctrl-C, so that `signal` alone decides how it and its kernel end.
 *
 * @param env added to the environment of the process and of its kernels
 */
export function startNbconvert({
  env = {},
  signal,
}: {
  env?: Readonly<Record<string, string>>
  signal?: AbortSignal | undefined
}): NbconvertWorker {
  signal?.throwIfAborted()
  const program = path.join(root, 'lib/workbench/nbconvert_worker.py')
  const child = spawn(pythonProgram('python'), [program], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let printed: string[] = []
  const keep = (line: string): void => {
    printed = [...printed, line].slice(-KEPT_LINES)
  }
  let answered: ((error: string | undefined) => void) | undefined
  let end: string | undefined
  const settle = (error: string | undefined): void => {
    answered?.(error)
    answered = undefined
  }
  createInterface({ input: child.stderr }).on('line', keep)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { error } = answerSchema.parse(JSON.parse(line))
    settle(error)
  })
  child.stdin.on('error', () => undefined) // it has ended, which 'close' reports
  const ended = new Promise<void>((resolve) => {
    const over = (how: string): void => {
      end = [...printed, `nbconvert's process ended (${how}).`].join('\n')
      settle(end)
      resolve()
    }
    child.once('error', (error) => over(error.message))
    child.once('close', (code, name) => over(name ?? `exit code ${code}`))
  })
  let killTimer: NodeJS.Timeout | undefined
  const stop = (): void => {
    child.kill('SIGTERM') // its kernel then ends by itself
    killTimer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  }
  signal?.addEventListener('abort', stop, { once: true })
  void ended.then(() => {
    clearTimeout(killTimer)
    signal?.removeEventListener('abort', stop)
  })
  return {
    async run(task) {
      if (end !== undefined) return end
      return new Promise((resolve) => {
        answered = resolve
        child.stdin.write(`${JSON.stringify(task)}\n`)
      })
    },
    end() {
      child.stdin.end()
      return ended
    },
  }
}
