/**
 * The safetensors format (huggingface.co/docs/safetensors): 8 bytes of header length (little-endian), a JSON header
 * `{ name: { dtype, shape, data_offsets: [begin, end] }, __metadata__? }`, then the values. float32 only here.
 */
import { z } from 'zod'
import { recordOf } from '../base'

/** A tensor of a safetensors file. */
export interface NamedTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const entrySchema = z
  .object({
    dtype: z.string(),
    shape: z.array(z.number().int().min(0)),
    data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
  })
  .strict()
const metadataSchema = recordOf(z.string())

const HEADER_LENGTH = 8
/** Longest header, as in the format's own library. */
const MOST_HEADER = 100_000_000

/**
 * Serialises float32 tensors; pads the header with spaces to a multiple of 8 bytes, as the format requires.
 * @throws Error naming a tensor whose shape and values disagree
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: { readonly [key: string]: string } = {},
): Buffer {
  let offset = 0
  const header: [string, object][] = [['__metadata__', metadata]]
  for (const [name, { shape, values }] of tensors) {
    const expected = shape.reduce((product, size) => product * size, 1)
    if (values.length !== expected)
      throw new Error(`tensor "${name}": expected ${expected} values for [${shape}], found ${values.length}`)
    header.push([name, { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] }])
    offset += values.byteLength
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)))
  const padded = Math.ceil(json.length / 8) * 8
  const file = Buffer.alloc(HEADER_LENGTH + padded + offset, ' ')
  file.writeBigUInt64LE(BigInt(padded), 0)
  json.copy(file, HEADER_LENGTH)
  let at = HEADER_LENGTH + padded
  for (const { values } of tensors.values()) {
    Buffer.from(values.buffer, values.byteOffset, values.byteLength).copy(file, at)
    at += values.byteLength
  }
  return file
}

/** The values between two offsets of a file; a view of its memory if aligned for float32. */
function float32({ buffer, byteOffset }: Buffer, begin: number, end: number): Float32Array {
  const start = byteOffset + begin
  const isAligned = start % Float32Array.BYTES_PER_ELEMENT === 0
  return isAligned
    ? new Float32Array(buffer, start, (end - begin) / Float32Array.BYTES_PER_ELEMENT)
    : new Float32Array(buffer.slice(start, byteOffset + end))
}

/**
 * Reads a safetensors file. The tensors share its memory.
 * @param source names the file in errors
 * @throws Error when the header is malformed, a tensor is not float32, the file is truncated or too long, or tensors
 *   share bytes
 */
export function decodeSafetensors(
  file: Buffer,
  source: string,
): { tensors: Map<string, NamedTensor>; metadata: { readonly [key: string]: string } } {
  const fail = (problem: string): never => {
    throw new Error(`${source}: not a valid safetensors file: ${problem}`)
  }
  if (file.length < HEADER_LENGTH) fail(`expected at least ${HEADER_LENGTH} bytes, found ${file.length}`)
  const headerEnd = HEADER_LENGTH + Number(file.readBigUInt64LE(0))
  if (headerEnd - HEADER_LENGTH > MOST_HEADER)
    fail(`expected a header of at most ${MOST_HEADER} bytes, found ${headerEnd - HEADER_LENGTH}`)
  if (headerEnd > file.length) fail(`its header ends at byte ${headerEnd}, the file at ${file.length}`)
  let header: unknown
  try {
    header = JSON.parse(file.toString('utf8', HEADER_LENGTH, headerEnd))
  } catch (error) {
    fail(`its header is not JSON (${error instanceof Error ? error.message : error})`)
  }
  const object = recordOf(z.unknown()).safeParse(header)
  if (!object.success) return fail('its header is not a JSON object of tensors')
  const tensors = new Map<string, NamedTensor>()
  let metadata: { readonly [key: string]: string } = {}
  const places: { name: string; begin: number; end: number }[] = []
  for (const [name, value] of Object.entries(object.data)) {
    if (name === '__metadata__') {
      const parsed = metadataSchema.safeParse(value)
      if (!parsed.success)
        return fail(`__metadata__: expected strings by name, ${parsed.error.issues[0]?.message}`)
      metadata = parsed.data
      continue
    }
    const parsed = entrySchema.safeParse(value)
    if (!parsed.success) return fail(`tensor "${name}": ${parsed.error.issues[0]?.message}`)
    const { dtype, shape, data_offsets: offsets } = parsed.data
    if (dtype !== 'F32') fail(`tensor "${name}": expected dtype F32, found ${dtype}`)
    const bytes = 4 * shape.reduce((product, size) => product * size, 1)
    const [begin, end] = [headerEnd + offsets[0], headerEnd + offsets[1]]
    if (end - begin !== bytes)
      fail(`tensor "${name}": expected ${bytes} bytes for [${shape}], found ${end - begin}`)
    if (end > file.length) fail(`tensor "${name}": expected ${end} bytes of file, found ${file.length}`)
    places.push({ name, begin, end })
    tensors.set(name, { shape, values: float32(file, begin, end) })
  }
  // The format allows neither gaps nor overlaps between tensors.
  let at = headerEnd
  for (const { name, begin, end } of places.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) fail(`tensor "${name}": expected it to begin at byte ${at}, found ${begin}`)
    at = end
  }
  if (at !== file.length) {
    fail(`its tensors take ${at - headerEnd} bytes after the header, found ${file.length - headerEnd}`)
  }
  return { tensors, metadata }
}
