import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { trialFolder } from '../../lib/trial'
import { EventFiles } from '../../lib/workbench/tensorboard'
import { syntheticStudy } from '../report/synthetic'

const folder = mkdtempSync(join(tmpdir(), 'events-'))
after(() => rmSync(folder, { recursive: true }))

/** CRC-32C (Castagnoli), bit by bit, as TensorFlow's records mask it. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** The records of an event file: length, its checksum, data, their checksum. */
function recordsOf(file: string): Buffer[] {
  const bytes = readFileSync(file)
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at))
    assert.equal(bytes.readUInt32LE(at + 8), maskedCrc(bytes.subarray(at, at + 8)), 'checksum of the length')
    const data = bytes.subarray(at + 12, at + 12 + length)
    assert.equal(bytes.readUInt32LE(at + 12 + length), maskedCrc(data), 'checksum of the data')
    records.push(data)
    at += 16 + length
  }
  return records
}

/** The fields of a protobuf message, by number. */
function fieldsOf(message: Buffer): Map<number, (Buffer | bigint)[]> {
  const fields = new Map<number, (Buffer | bigint)[]>()
  let at = 0
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = message[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    at += length
    return message.subarray(at - length, at)
  }
  while (at < message.length) {
    const key = Number(varint())
    const kind = key & 7
    const value = kind === 0 ? varint() : take(kind === 1 ? 8 : kind === 5 ? 4 : Number(varint()))
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value])
  }
  return fields
}

/** [tag, step, value] of every scalar of an event file. */
function scalarsOf(file: string): [string, number, number][] {
  return recordsOf(file).flatMap((record) => {
    const event = fieldsOf(record)
    return (event.get(5) ?? []).flatMap((summary) =>
      (fieldsOf(summary as Buffer).get(1) ?? []).map((value): [string, number, number] => {
        const scalar = fieldsOf(value as Buffer)
        const [[tag], [number]] = [scalar.get(1)!, scalar.get(2)!] as [[Buffer], [Buffer]]
        return [tag.toString(), Number(event.get(2)?.[0] ?? 0n), number.readFloatLE(0)]
      }),
    )
  })
}

test('a training’s log and evaluations become event files with right checksums, each point once', () => {
  const trial = syntheticStudy(join(folder, 'synthetic'), { images: 4 }).arms.flatMap(({ runs }) =>
    runs.flatMap(({ training }) => training ?? []),
  )[0]!
  const runs = join(folder, 'trials')
  const own = join(runs, trialFolder(trial.config))
  mkdirSync(own, { recursive: true })
  const line = (row: object) => `${JSON.stringify(row)}\n`
  const logged = { rate: 0.5, imagesPerSecond: 32, total: 3, box: 1, 'class-kd/scale1': 2, gradientNorm: 4 }
  writeFileSync(join(own, 'log.jsonl'), line({ level: 30, time: 1, step: 5, ...logged }))
  writeFileSync(join(own, 'validation.jsonl'), line({ step: 0, mAP50: 0.25, AP: 0.125, images: 4 }))
  const events = new EventFiles(join(folder, 'tensorboard'), runs, () => 'control, seed 1')
  events.follow(trial.config, { state: 'started' })
  events.follow(trial.config, { state: 'finished', result: trial })
  writeFileSync(join(own, 'log.jsonl'), line({ level: 30, time: 2, step: 10, ...logged, total: 2 }), {
    flag: 'a',
  })
  events.follow(trial.config, { state: 'finished', result: trial })
  const [name = '', ...others] = readdirSync(join(folder, 'tensorboard'))
  assert.deepEqual(others, [])
  assert.match(name, /^control seed 1 [0-9a-f]{6}$/)
  const [file = '', ...more] = readdirSync(join(folder, 'tensorboard', name))
  assert.deepEqual(more, [])
  assert.match(file, /^events\.out\.tfevents\./)
  const at = (step: number, total: number): [string, number, number][] => [
    ['training/learning rate', step, 0.5],
    ['training/images a second', step, 32],
    ['loss/total', step, total],
    ['loss/box', step, 1],
    ['loss/class-kd scale1', step, 2],
    ['training/gradient norm', step, 4],
  ]
  assert.deepEqual(scalarsOf(join(folder, 'tensorboard', name, file)), [
    ...at(5, 3),
    ['validation/mAP@0.5', 0, 0.25],
    ['validation/COCO AP', 0, 0.125],
    ...at(10, 2),
  ])
})
