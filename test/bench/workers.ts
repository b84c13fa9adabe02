/** The processes that compute: the workbook's and PyTorch's, on the same device with the same threads; never both sides at once. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { delimiter, dirname, join, sep } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { z } from 'zod'
import { THREADS } from '../../lib/engine'
import { ANSWERS, type Answer, type Request } from './protocol'

/** Kinds of process. Those with `compiled` or XLA compile for a long time before their first step. */
export const SIDES = [
  'workbook',
  'workbook, not deterministic',
  'workbook with XLA',
  'workbook with XLA, not deterministic',
  'PyTorch',
  'PyTorch compiled',
] as const
export type Side = (typeof SIDES)[number]

export const isPeer = (side: Side): boolean => side.startsWith('PyTorch')
export const isCompiled = (side: Side): boolean => /XLA|compiled/.test(side)

/** What both sides compute on. */
export const DEVICES = ['cpu', 'cuda'] as const
export type Device = (typeof DEVICES)[number]

export interface WorkerOptions {
  readonly device: Device
  readonly threads: number
  /** PyTorch's. */
  readonly python: string
  readonly signal: AbortSignal
}

/** XLA's switches as in the set-up, except the one that turns it on. */
export function xlaFlags(on: boolean): string {
  const own = (process.env.TF_XLA_FLAGS ?? '').replace(/--tf_xla_auto_jit=\S+/g, '')
  return on ? `${own} --tf_xla_auto_jit=2` : own
}

const errorSchema = z.object({ error: z.string() })

/** The library path without the workbook's own CUDA libraries, since PyTorch was built with others. */
function librariesOfOthers(): string {
  const { LD_LIBRARY_PATH = '', WORKBOOK_PYTHON = '' } = process.env
  const own = dirname(dirname(WORKBOOK_PYTHON))
  return LD_LIBRARY_PATH.split(delimiter)
    .filter((folder) => !folder.startsWith(own + sep))
    .join(delimiter)
}

const LOADER = join(__dirname, '../../lib/engine/loader.cjs')

/** A process that answers requests, one at a time. */
export class Worker {
  private readonly child: ChildProcessWithoutNullStreams
  private readonly lines: Interface
  private readonly signal: AbortSignal
  private errors = ''
  private waiting: { resolve: (line: string) => void; reject: (reason: unknown) => void } | undefined

  constructor(
    readonly side: Side,
    { device, threads, python, signal }: WorkerOptions,
  ) {
    this.signal = signal
    const [program, words] = isPeer(side)
      ? [python, [join(__dirname, 'peer.py'), device, ...(isCompiled(side) ? ['compiled'] : [])]]
      : [process.execPath, ['--require', LOADER, join(__dirname, 'ours.ts')]]
    const count = String(threads)
    const env = {
      TF_CPP_MIN_LOG_LEVEL: '2',
      ...process.env,
      ...{ OMP_NUM_THREADS: count, MKL_NUM_THREADS: count },
      // The peer needs no hiding: its tensors stay on the CPU unless they are moved.
      ...(device === 'cpu' && { CUDA_VISIBLE_DEVICES: '' }),
      ...(isPeer(side)
        ? { LD_LIBRARY_PATH: librariesOfOthers(), MALLOC_ARENA_MAX: undefined }
        : { TF_XLA_FLAGS: xlaFlags(isCompiled(side)), [THREADS]: count }),
      ...(side.includes('not deterministic') && { TF_DETERMINISTIC_OPS: '0' }),
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
    // A failed write to a dead process is reported when its end is.
    this.child.stdin.on('error', () => {})
    this.child.once('close', (status, by) =>
      this.waiting?.reject(new Error(`the ${side} process ended with ${status ?? by}:\n${this.errors}`)),
    )
    signal.addEventListener('abort', this.abort, { once: true })
  }

  /** The process's id. */
  get pid(): number {
    const { pid } = this.child
    if (pid === undefined) throw new Error(`the ${this.side} process has not been started:\n${this.errors}`)
    return pid
  }

  private readonly abort = () => {
    this.child.kill('SIGKILL')
    this.waiting?.reject(this.signal.reason)
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null || this.child.killed
  }

  /**
   * @param limit ends the process, whatever it does
   * @throws Error with the process's own message when it fails or ends; the limit's reason
   */
  async ask<O extends Request['op']>(
    request: Extract<Request, { op: O }>,
    limit?: AbortSignal,
  ): Promise<Answer<O>> {
    this.signal.throwIfAborted()
    limit?.throwIfAborted()
    const { op } = request
    if (this.waiting) throw new Error(`the ${this.side} process: expected one request at a time, found ${op}`)
    if (this.hasEnded) throw new Error(`the ${this.side} process has ended:\n${this.errors}`)
    const stop = () => {
      this.child.kill('SIGKILL')
      this.waiting?.reject(limit?.reason)
    }
    limit?.addEventListener('abort', stop, { once: true })
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
      limit?.removeEventListener('abort', stop)
    }
  }

  /** Ends the process: closes its input, and kills it if it does not end. */
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

/** Processes of every side, which start when they are first needed, and anew when they were ended. */
export type Sides = { readonly [side in Side]: Worker } & {
  /** Ends them all. */
  close(): Promise<void>
}

function startableSides(options: WorkerOptions): Sides {
  const started = new Map<Side, Worker>()
  const workerOf = (side: Side): Worker => {
    const known = started.get(side)
    const worker = known && !known.hasEnded ? known : new Worker(side, options)
    started.set(side, worker)
    return worker
  }
  const close = async () => {
    const workers = [...started.values()]
    started.clear()
    await Promise.all(workers.map((worker) => worker.close()))
  }
  return SIDES.reduce((sides, side) => Object.defineProperty(sides, side, { get: () => workerOf(side) }), {
    close,
  } as Sides)
}

/** Runs `body` with one process of each requested side. */
export async function withSides<T>(options: WorkerOptions, body: (sides: Sides) => Promise<T>): Promise<T> {
  const sides = startableSides(options)
  try {
    return await body(sides)
  } finally {
    await sides.close()
  }
}

/** Does the same with several processes of each side. */
export async function withTeams<T>(
  options: WorkerOptions,
  processes: number,
  body: (teams: readonly Sides[]) => Promise<T>,
): Promise<T> {
  if (processes === 0) return body([])
  return withSides(options, (sides) => withTeams(options, processes - 1, (teams) => body([sides, ...teams])))
}
