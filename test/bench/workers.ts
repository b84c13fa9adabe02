/** The processes that compute: one for the workbook, one for PyTorch, with the same threads; never both at once. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { z } from 'zod'
import { ANSWERS, type Answer, type Request } from './protocol'

export type Side = 'workbook' | 'PyTorch'

const errorSchema = z.object({ error: z.string() })

/** A process that answers requests, one at a time. */
export class Worker {
  private readonly child: ChildProcessWithoutNullStreams
  private readonly lines: Interface
  private errors = ''
  private waiting: { resolve: (line: string) => void; reject: (reason: unknown) => void } | undefined

  constructor(
    readonly side: Side,
    threads: number,
    python: string,
    private readonly signal: AbortSignal,
  ) {
    const [program, words] =
      side === 'workbook'
        ? [process.execPath, ['--require', 'tsx/cjs', join(__dirname, 'ours.ts')]]
        : [python, [join(__dirname, 'peer.py')]]
    const count = String(threads)
    const env = {
      TF_CPP_MIN_LOG_LEVEL: '2',
      ...process.env,
      ...{ OMP_NUM_THREADS: count, MKL_NUM_THREADS: count },
      ...{ TF_NUM_INTRAOP_THREADS: count, TF_NUM_INTEROP_THREADS: count },
      // The comparison is of CPUs; on a machine with a card PyTorch's tensors would stay on the CPU anyway.
      CUDA_VISIBLE_DEVICES: '',
    }
    this.child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-4000)
    })
    this.lines = createInterface({ input: this.child.stdout })
    this.lines.on('line', (line) => {
      if (line.startsWith('{')) this.waiting?.resolve(line)
    })
    this.child.once('error', (error) => this.waiting?.reject(error))
    // A write to a process that has died is reported by its end.
    this.child.stdin.on('error', () => {})
    this.child.once('close', (status, by) =>
      this.waiting?.reject(new Error(`the ${side} process ended with ${status ?? by}:\n${this.errors}`)),
    )
    signal.addEventListener('abort', this.abort, { once: true })
  }

  private readonly abort = () => {
    this.child.kill('SIGKILL')
    this.waiting?.reject(this.signal.reason)
  }

  /** @throws Error with the process's own message when it fails or ends */
  async ask<O extends Request['op']>(request: Extract<Request, { op: O }>): Promise<Answer<O>> {
    this.signal.throwIfAborted()
    const { op } = request
    if (this.waiting) throw new Error(`the ${this.side} process: expected one request at a time, found ${op}`)
    if (this.child.exitCode !== null) throw new Error(`the ${this.side} process has ended:\n${this.errors}`)
    try {
      const line = await new Promise<string>((resolve, reject) => {
        this.waiting = { resolve, reject }
        this.child.stdin.write(`${JSON.stringify(request)}\n`)
      })
      const reply: unknown = JSON.parse(line)
      const failed = errorSchema.safeParse(reply)
      if (failed.success)
        throw new Error(`the ${this.side} process, asked for ${op}: ${failed.data.error}\n${this.errors}`)
      return ANSWERS[op].parse(reply) as Answer<O>
    } finally {
      this.waiting = undefined
    }
  }

  /** Ends the process: its input closes, and it is stopped where it does not follow. */
  async close(): Promise<void> {
    this.signal.removeEventListener('abort', this.abort)
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise((resolve) => this.child.once('close', resolve))
    this.child.stdin.end()
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(timer)
  }
}

export interface Pair {
  readonly workbook: Worker
  readonly PyTorch: Worker
}

/** Runs `body` with a fresh process of each side. */
export async function withPair<T>(
  { threads, python, signal }: { threads: number; python: string; signal: AbortSignal },
  body: (pair: Pair) => Promise<T>,
): Promise<T> {
  const pair = {
    workbook: new Worker('workbook', threads, python, signal),
    PyTorch: new Worker('PyTorch', threads, python, signal),
  }
  try {
    return await body(pair)
  } finally {
    await Promise.all([pair.workbook.close(), pair.PyTorch.close()])
  }
}
