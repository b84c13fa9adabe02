/** Frames of a video, decoded by ffmpeg. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import type { RgbImage } from '../../data'
import type { Source, SourceImage } from './types'

/** File names of videos. */
export const VIDEO_NAME = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|ts|wmv|ogv)$/i

/** The program, or another one that the environment names. */
const program = () => process.env.FFMPEG ?? 'ffmpeg'

const MISSING =
  'ffmpeg, which decodes videos, is missing: install it (sudo apt-get install -y ffmpeg), or name its file in the ' +
  'environment variable FFMPEG'

/**
 * The frames of a video in their order, upright as the file says.
 * @throws Error where ffmpeg is missing, or finds no video in the file
 */
export async function openVideo(file: string, { fps }: { readonly fps?: number }): Promise<Source> {
  const { seconds, rate } = await probe(file)
  const total = Math.max(1, Math.round(seconds * (fps ?? rate)))
  return { title: basename(file), total, images: frames(file, fps), problems: [] }
}

/** Length and frames a second, as ffmpeg tells them. */
async function probe(file: string): Promise<{ seconds: number; rate: number }> {
  const { text } = await run(['-hide_banner', '-i', file])
  const [, hours, minutes, rest] = /Duration: (\d+):(\d+):([\d.]+)/.exec(text) ?? []
  const [, rate] = /Video: .*?, ([\d.]+) fps/.exec(text) ?? []
  if (!/Video: /.test(text)) {
    const reason = text.trim().split('\n').at(-1) ?? ''
    throw new Error(`${file}: expected a video that ffmpeg can decode, found: ${reason.trim()}`)
  }
  const seconds = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(rest ?? 0)
  return { seconds, rate: Number(rate ?? 25) }
}

/** Runs ffmpeg to its end. @returns its exit code and what it said */
async function run(words: readonly string[]): Promise<{ code: number; text: string }> {
  const child = start(words)
  child.stdout.resume()
  const text = textOf(child.stderr)
  // Of a program that is missing nothing can be read, which `ended` says.
  text.catch(() => {})
  const [code] = await ended(child)
  return { code: Number(code), text: await text }
}

const start = (words: readonly string[]) =>
  spawn(program(), ['-nostdin', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })

async function ended(child: ReturnType<typeof start>): Promise<unknown[]> {
  try {
    return await once(child, 'close')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw code === 'ENOENT' ? new Error(MISSING, { cause }) : cause
  }
}

async function textOf(stream: Readable): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

async function* frames(file: string, fps: number | undefined): AsyncGenerator<SourceImage> {
  const filter = fps === undefined ? ['-fps_mode', 'passthrough'] : ['-vf', `fps=${fps}`]
  const child = start([
    ...['-v', 'error', '-i', file, '-map', '0:v:0', ...filter],
    ...['-f', 'image2pipe', '-c:v', 'ppm', '-pix_fmt', 'rgb24', '-'],
  ])
  const said = textOf(child.stderr)
  const end = ended(child)
  // Whoever stops early will not ask for it.
  end.catch(() => {})
  try {
    let number = 0
    for await (const image of readPpm(child.stdout)) {
      const name = `frame-${String(++number).padStart(6, '0')}`
      yield { name, place: name, load: async () => image }
    }
    const [code] = await end
    if (code !== 0) throw new Error(`${file}: ffmpeg stopped after ${number} frames: ${(await said).trim()}`)
  } finally {
    child.kill()
  }
}

/** Images of a stream of binary PPM files: "P6", width, height, 255, and the pixels. */
export async function* readPpm(stream: AsyncIterable<Buffer>): AsyncGenerator<RgbImage> {
  let rest = Buffer.alloc(0)
  let waiting: Buffer[] = []
  let missing = 0
  for await (const part of stream) {
    waiting.push(part)
    missing -= part.length
    if (missing > 0) continue
    rest = Buffer.concat([rest, ...waiting])
    waiting = []
    for (;;) {
      const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(rest.subarray(0, 64).toString('latin1'))
      if (!header) {
        if (rest.length >= 64)
          throw new Error(`video: expected a PPM image, found "${rest.subarray(0, 8).toString('latin1')}"`)
        missing = 1
        break
      }
      const [width, height] = [Number(header[1]), Number(header[2])]
      const end = header[0].length + 3 * width * height
      missing = end - rest.length
      if (missing > 0) break
      yield { width, height, pixels: rest.subarray(header[0].length, end) }
      rest = rest.subarray(end)
    }
  }
  const left = rest.length + waiting.reduce((sum, { length }) => sum + length, 0)
  if (left > 0) throw new Error(`video: expected whole images, found ${left} bytes of one that is cut off`)
}
