/** What a session and the process that runs its file say to each other; run.py says the same. */
import { readSync, writeSync } from 'node:fs'
import { timeInTurns } from '../../base'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from '../../train/safetensors'
import type { Head, Pixels } from '../options'

/** What the process is told when it starts. */
export interface SessionSettings {
  readonly threads: number
  readonly outputs: readonly string[]
  readonly layout: 'NHWC' | 'NCHW'
  readonly pixels: Pixels
  readonly head: Head
  /** Whether the runtime must compute in the file's own precision, where it would choose a lower one by itself. */
  readonly exact: boolean
}

export interface Message {
  readonly told: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, NamedTensor>
}

/** The bytes of a message behind their length. */
export function encodeMessage({ told, tensors }: Message): Buffer {
  const content = encodeSafetensors(tensors, told)
  const head = Buffer.alloc(4)
  head.writeUInt32LE(content.length)
  return Buffer.concat([head, content])
}

/** A message's content, without its length. */
export function decodeMessage(content: Buffer, source: string): Message {
  const { tensors, metadata } = decodeSafetensors(content, source)
  return { told: metadata, tensors }
}

/** Descriptors of the messages that come in and go out. */
const [ASKED, ANSWERED] = [0, 3]

/** What a process of this library runs a file with. */
export interface Runner<T> {
  prepare(images: NamedTensor): T
  run(images: T): ReadonlyMap<string, NamedTensor>
  dispose(images: T): void
}

/** Answers messages until there are no more. */
export async function serve<T>(version: string, { prepare, run, dispose }: Runner<T>): Promise<void> {
  send({ told: { version }, tensors: new Map() })
  for (let asked = receive(); asked; asked = receive()) {
    const images = asked.tensors.get('images')
    if (!images) throw new Error('a session asked without images')
    const value = prepare(images)
    if (asked.told.command === 'run') send({ told: {}, tensors: run(value) })
    else {
      // Milliseconds of calls one after another.
      const settings = { calls: Number(asked.told.calls), warmUp: 0 }
      const milliseconds = Float32Array.from(timeInTurns([() => run(value)], settings)[0]!)
      const tensor = { shape: [milliseconds.length], values: milliseconds }
      send({ told: {}, tensors: new Map([['milliseconds', tensor]]) })
    }
    dispose(value)
  }
}

function send(message: Message): void {
  const content = encodeMessage(message)
  for (let at = 0; at < content.length; ) at += writeSync(ANSWERED, content, at)
}

function receive(): Message | undefined {
  const head = read(4)
  return head && decodeMessage(read(head.readUInt32LE())!, 'message')
}

/** So many bytes; undefined at the end. */
function read(length: number): Buffer | undefined {
  const content = Buffer.alloc(length)
  for (let at = 0; at < length; ) {
    const count = readSync(ASKED, content, at, length - at, null)
    if (count === 0) return undefined
    at += count
  }
  return content
}
