/** An exported file in its own runtime, in a process of its own: libraries that hold other versions of the same code never meet. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Precision } from '../../engine'
import type { NamedTensor } from '../../train'
import type { Metadata } from '../metadata'
import { isInstalled, notInstalled, programOf, RUNTIME, type RuntimeName } from '.'
import { decodeMessage, encodeMessage, type Message, type SessionSettings } from './messages'

/** How a runtime computes. */
export interface SessionOptions {
  /** Threads that compute; default 1. */
  readonly threads?: number
  /** The file's own precision, where the runtime (OpenVINO) would compute in a lower one; default true. */
  readonly exact?: boolean
  /** Of the library itself alone, whose checkpoints say no precision. */
  readonly precision?: Precision
  readonly signal?: AbortSignal
}

/** A file that is loaded; close it when done. One call at a time. */
export class Session {
  private errors = ''
  private readonly ended: Promise<never>

  private constructor(
    private readonly child: ChildProcess,
    private readonly answers: AsyncGenerator<Message, undefined>,
    readonly file: string,
    readonly runtime: RuntimeName,
    readonly metadata: Metadata,
    signal: AbortSignal | undefined,
  ) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-4000)
    })
    this.ended = new Promise((_, reject) => {
      child.once('error', (error) => reject(signal?.aborted ? signal.reason : error))
      child.once('close', (code, killed) =>
        reject(
          new Error(
            `${file}: ${RUNTIME[runtime].title} ended with ${killed ?? `exit code ${code}`}:\n${this.errors.trim()}`,
          ),
        ),
      )
    })
    // What is asked last may not wait for it.
    this.ended.catch(() => undefined)
  }

  /** What the runtime says its version is. */
  version = ''

  /**
   * Starts the runtime and loads the file.
   *
   * @throws Error with what the runtime said, or how to install it
   */
  static async open(
    file: string,
    runtime: RuntimeName,
    metadata: Metadata,
    { threads = 1, exact = true, precision = 'float32', signal }: SessionOptions = {},
  ): Promise<Session> {
    if (!isInstalled(runtime)) throw new Error(`${file}: ${notInstalled(runtime)}`)
    const { outputs, layout, pixels, head } = metadata
    const settings: SessionSettings & { readonly precision: Precision } = {
      ...{ threads, exact, precision, outputs, layout, pixels, head },
    }
    const [program, ...words] = programOf(runtime)
    const child = spawn(program, [...words, file, JSON.stringify(settings)], {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...ONE_FOR_ALL, ...threadSettings(threads) },
      signal,
    })
    const session = new Session(child, messagesOf(child, file), file, runtime, metadata, signal)
    try {
      session.version = (await session.answer()).told.version ?? ''
    } catch (error) {
      child.kill()
      throw error
    }
    return session
  }

  /**
   * The file's outputs by name, in float32 and as TensorFlow orders them: logits [n, h, w, c].
   *
   * @param images [n, h, w, 3] in 0..1; of a file that takes bytes they are rounded to those
   */
  async run(images: NamedTensor): Promise<ReadonlyMap<string, NamedTensor>> {
    const { batch } = this.metadata
    const [n] = images.shape as [number]
    if (batch === 'any' || batch === n) return this.ask({ command: 'run' }, images)
    const parts: ReadonlyMap<string, NamedTensor>[] = []
    for (let first = 0; first < n; first += batch) {
      const part = imagesAt(images, first, batch)
      parts.push(await this.ask({ command: 'run' }, part))
    }
    return joined(parts, n)
  }

  /** Milliseconds of each of `calls` calls one after another. */
  async time(images: NamedTensor, calls: number): Promise<number[]> {
    const answer = await this.ask({ command: 'time', calls: String(calls) }, images)
    return [...(answer.get('milliseconds')?.values ?? [])]
  }

  /** Ends the process. */
  async close(): Promise<void> {
    this.child.stdin?.end()
    await this.ended.catch(() => undefined)
  }

  private async ask(
    told: Readonly<Record<string, string>>,
    { shape, values }: NamedTensor,
  ): Promise<ReadonlyMap<string, NamedTensor>> {
    const isBytes = this.metadata.pixels === 'uint8'
    const images = { shape, values: isBytes ? values.map((value) => Math.round(value * 255)) : values }
    this.child.stdin?.write(encodeMessage({ told, tensors: new Map([['images', images]]) }))
    return (await this.answer()).tensors
  }

  private async answer(): Promise<Message> {
    const { value } = await Promise.race([this.answers.next(), this.ended])
    return value ?? this.ended
  }
}

/** Libraries that say more than is needed, or take every thread, are told not to. */
const ONE_FOR_ALL = { TF_CPP_MIN_LOG_LEVEL: '2', PYTHONWARNINGS: 'ignore' }
const threadSettings = (threads: number) => ({
  WORKBOOK_THREADS: String(threads),
  OMP_NUM_THREADS: String(threads),
})

async function* messagesOf(child: ChildProcess, file: string): AsyncGenerator<Message, undefined> {
  let held = Buffer.alloc(0)
  for await (const chunk of child.stdio[3] as Readable) {
    held = Buffer.concat([held, chunk as Buffer])
    while (held.length >= 4 && held.length >= 4 + held.readUInt32LE()) {
      const end = 4 + held.readUInt32LE()
      yield decodeMessage(held.subarray(4, end), file)
      held = held.subarray(end)
    }
  }
  return undefined
}

/** `count` images from `first` on; behind the last, the last again. */
function imagesAt({ shape, values }: NamedTensor, first: number, count: number): NamedTensor {
  const [n, ...rest] = shape as [number, ...number[]]
  const size = rest.reduce((product, length) => product * length, 1)
  const part = new Float32Array(count * size)
  for (let i = 0; i < count; i++) {
    const from = Math.min(first + i, n - 1) * size
    part.set(values.subarray(from, from + size), i * size)
  }
  return { shape: [count, ...rest], values: part }
}

function joined(
  parts: readonly ReadonlyMap<string, NamedTensor>[],
  n: number,
): ReadonlyMap<string, NamedTensor> {
  const names = [...parts[0]!.keys()]
  return new Map(
    names.map((name) => {
      const pieces = parts.map((part) => part.get(name)!)
      const [, ...rest] = pieces[0]!.shape
      const size = rest.reduce((product, length) => product * length, 1)
      const values = new Float32Array(pieces.length * pieces[0]!.values.length)
      pieces.forEach((piece, i) => {
        values.set(piece.values, i * piece.values.length)
      })
      return [name, { shape: [n, ...rest], values: values.subarray(0, n * size) }]
    }),
  )
}
