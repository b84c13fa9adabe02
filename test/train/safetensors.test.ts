import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from '../../lib/train'

const directory = mkdtempSync(join(tmpdir(), 'safetensors-'))
after(() => rmSync(directory, { recursive: true }))

const TENSORS = new Map<string, NamedTensor>([
  ['a/kernel', { shape: [2, 3], values: Float32Array.from([1, -2, 0.1, 3e38, 1e-45, -0]) }],
  ['scalar', { shape: [], values: Float32Array.of(Number.NEGATIVE_INFINITY) }],
  ['empty', { shape: [0, 4], values: new Float32Array(0) }],
])

/** A file of the format, put together by hand. */
function file(header: string | object, data: Buffer | number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, typeof data === 'number' ? Buffer.alloc(data) : data])
}

test('what is written is read again, bit for bit', () => {
  const bytes = encodeSafetensors(TENSORS, { note: 'über' })
  const { tensors, metadata } = decodeSafetensors(bytes, 'memory')
  assert.deepEqual(tensors, TENSORS)
  assert.deepEqual(metadata, { note: 'über' })
  assert.ok(Object.is(tensors.get('a/kernel')!.values[5], -0))
})

test('the layout: length, header padded with spaces to 8 bytes, little-endian values', () => {
  const bytes = encodeSafetensors(new Map([['x', { shape: [1], values: Float32Array.of(1.5) }]]))
  const length = Number(bytes.readBigUInt64LE(0))
  assert.equal(length % 8, 0)
  assert.match(
    bytes.toString('utf8', 8, 8 + length),
    /^\{"__metadata__":\{\},"x":\{"dtype":"F32","shape":\[1\],"data_offsets":\[0,4\]\}\} *$/,
  )
  assert.deepEqual([...bytes.subarray(8 + length)], [0, 0, 0xc0, 0x3f])
})

test('part of a larger buffer is stored, and read, as that part', () => {
  const values = Float32Array.from([9, 1, 2, 9]).subarray(1, 3)
  const bytes = encodeSafetensors(new Map([['part', { shape: [2], values }]]))
  const inside = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3)
  assert.deepEqual([...decodeSafetensors(inside, 'memory').tensors.get('part')!.values], [1, 2])
})

test("a file of Python's safetensors is read", () => {
  const path = join(__dirname, 'oracle/python.safetensors')
  const { tensors, metadata } = decodeSafetensors(readFileSync(path), path)
  assert.deepEqual(metadata, { 'made by': 'safetensors 0.8.0', ünicode: 'ja' })
  assert.deepEqual(
    tensors,
    new Map([
      ['empty', { shape: [0, 4], values: new Float32Array(0) }],
      ['größe/kernel', { shape: [3], values: Float32Array.of(Math.PI, Number.NEGATIVE_INFINITY, 1e-45) }],
      ['matrix', { shape: [2, 3], values: Float32Array.of(-1, -0.75, -0.5, -0.25, 0, 0.25) }],
      ['scalar', { shape: [], values: Float32Array.of(0.1) }],
    ]),
  )
})

/** Reads a file by the format's definition, with numpy alone. */
const READER = `
import json, sys, numpy
raw = open(sys.argv[1], 'rb').read()
size = int.from_bytes(raw[:8], 'little')
header = json.loads(raw[8:8 + size])
metadata = header.pop('__metadata__')
values = {name: numpy.frombuffer(raw[8 + size:][slice(*entry['data_offsets'])], '<f4').reshape(entry['shape'])
          for name, entry in header.items()}
print(json.dumps([metadata, {name: [list(array.shape), array.tobytes().hex()] for name, array in values.items()}]))
`

test('numpy reads our file', (t) => {
  const python = join(__dirname, '../../.venv/bin/python')
  if (!existsSync(python) || spawnSync(python, ['-c', 'import numpy']).status !== 0) {
    return t.skip(`${python} with numpy is not there`)
  }
  const path = join(directory, 'ours.safetensors')
  writeFileSync(path, encodeSafetensors(TENSORS, { note: 'über' }))
  const { stdout, stderr } = spawnSync(python, ['-c', READER, path], { encoding: 'utf8' })
  assert.equal(stderr, '')
  const hex = ({ values }: NamedTensor) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')
  const expected = Object.fromEntries([...TENSORS].map(([name, t]) => [name, [t.shape, hex(t)]]))
  assert.deepEqual(JSON.parse(stdout), [{ note: 'über' }, expected])
})

describe('broken files are named, with the tensor', () => {
  const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] }
  const broken: readonly [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /expected at least 8 bytes, found 0/],
    ['header past the end', file('{}', 0).subarray(0, 9), /its header ends at byte 10, the file at 9/],
    ['no JSON', file('{"x":', 8), /its header is not JSON/],
    ['a list', file('[1]', 0), /its header is not a JSON object of tensors/],
    ['metadata with numbers', file({ __metadata__: { a: 1 } }, 0), /__metadata__: expected strings by name/],
    ['another type', file({ x: { ...entry, dtype: 'F16' } }, 8), /tensor "x": expected dtype F32, found F16/],
    ['a shape of text', file({ x: { ...entry, shape: '2' } }, 8), /tensor "x": Expected array/],
    ['an unknown key', file({ x: { ...entry, stride: 1 } }, 8), /tensor "x": Unrecognized key.*stride/],
    [
      'offsets that disagree with the shape',
      file({ x: { ...entry, shape: [3] } }, 8),
      /tensor "x": expected 12 bytes for \[3\], found 8/,
    ],
    ['truncated values', file({ x: entry }, 7), /tensor "x": expected \d+ bytes of file, found \d+/],
    [
      'tensors that share bytes',
      file({ x: entry, y: { ...entry, data_offsets: [4, 12] } }, 16),
      /tensor "y": expected it to begin at byte \d+, found \d+/,
    ],
    [
      'a gap between tensors',
      file({ x: entry, y: { ...entry, data_offsets: [12, 20] } }, 20),
      /tensor "y": expected it to begin at byte \d+, found \d+/,
    ],
    ['bytes of no tensor', file({ x: entry }, 12), /its tensors take 8 bytes after the header, found 12/],
  ]
  for (const [what, bytes, message] of broken) {
    test(what, () => {
      assert.throws(
        () => decodeSafetensors(bytes, 'some/file.safetensors'),
        (error: Error) => {
          assert.match(error.message, /^some\/file\.safetensors: not a valid safetensors file: /)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }
})

test('a tensor whose shape and values disagree is not written', () => {
  const wrong = new Map([['x', { shape: [2, 2], values: new Float32Array(3) }]])
  assert.throws(() => encodeSafetensors(wrong), /tensor "x": expected 4 values for \[2,2\], found 3/)
})
