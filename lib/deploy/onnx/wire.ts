/** Protocol buffers' wire format, as far as ONNX needs it: fields are (number, type) and a varint, 4 bytes or a length and bytes. */

const VARINT = 0
const BYTES = 2
const FIXED32 = 5

/** A field of a message; undefined is left out. */
export type Field = Uint8Array | undefined

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

const key = (field: number, type: number) => varint(field * 8 + type)

/** int32, int64 and enum. */
export const integer = (field: number, value: number): Field =>
  Buffer.concat([key(field, VARINT), varint(value)])

export function float(field: number, value: number): Field {
  return Buffer.concat([key(field, FIXED32), new Uint8Array(Float32Array.of(value).buffer)])
}

/** Bytes, text, or a message within a message. */
export function bytes(field: number, value: Uint8Array | string): Field {
  const content = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([key(field, BYTES), varint(content.length), content])
}

export const repeated = <T>(values: readonly T[], field: (value: T) => Field): Field[] => values.map(field)

/** int64 numbers one after another. */
export const packed = (field: number, values: readonly number[]): Field =>
  bytes(field, Buffer.concat(values.map((value) => varint(value))))

export const message = (...fields: readonly (Field | readonly Field[])[]): Uint8Array =>
  Buffer.concat(fields.flat().filter((field) => field !== undefined))

/**
 * The fields of a message whose values are bytes, in their order.
 * @throws RangeError where the message ends within a field
 */
export function* bytesFields(
  content: Uint8Array,
): Generator<{ readonly field: number; readonly value: Uint8Array }> {
  let at = 0
  const next = (): number => {
    const byte = content[at++]
    if (byte === undefined) throw new RangeError('protocol buffers: the message ends within a field')
    return byte
  }
  const number = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = next()
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < content.length) {
    const [field, type] = ((tag) => [Math.floor(tag / 8), tag % 8] as const)(number())
    if (type === VARINT) number()
    else if (type === FIXED32) at += 4
    else if (type === 1) at += 8
    else if (type === BYTES) {
      const length = number()
      if (at + length > content.length)
        throw new RangeError('protocol buffers: the message ends within a field')
      yield { field, value: content.subarray(at, at + length) }
      at += length
    } else throw new RangeError(`protocol buffers: expected a field of type 0, 1, 2 or 5, found ${type}`)
  }
}
