/** Inference beside what a user would pick today: the exported networks in ONNX Runtime and OpenVINO, in float32, bfloat16 and int8. */
import { join } from 'node:path'
import { generateScenes } from '../../lib/data'
import { FILE_DEFAULTS, type FileRequest, type Model, notInstalled, writeModel } from '../../lib/deploy'
import { framesOf } from '../../lib/deploy/frames'
import { isInstalled, type RuntimeName } from '../../lib/deploy/runtimes'
import { Session, type SessionOptions } from '../../lib/deploy/runtimes/session'
import { complexity } from '../../lib/detector'
import { calibrate, planOf } from '../../lib/quantise'
import { loadProfile } from '../../lib/study'
import { loadCheckpoint, type NamedTensor } from '../../lib/train'
import { SHIPPED } from '../../lib/trial'
import type { Context, Setting } from './parts'
import { type Spread, spread } from './rounds'

/** Numbers that a network computes in. */
export type Format = 'float32' | 'bfloat16' | 'int8'

interface Contender {
  readonly name: string
  readonly runtime: RuntimeName
  readonly format: Format
  readonly file: Partial<FileRequest> & Pick<FileRequest, 'format'>
  readonly session?: Pick<SessionOptions, 'exact' | 'precision'>
}

const ONNX = { format: 'onnx' } as const

const FIELD: readonly Contender[] = [
  { name: 'workbook', runtime: 'library', format: 'float32', file: { format: 'checkpoint' } },
  {
    ...{ name: 'workbook', runtime: 'library', format: 'bfloat16', file: { format: 'checkpoint' } },
    session: { precision: 'bfloat16' },
  },
  { name: 'ONNX Runtime', runtime: 'onnxruntime', format: 'float32', file: ONNX },
  {
    ...{ name: 'ONNX Runtime', runtime: 'onnxruntime', format: 'int8' },
    file: { ...ONNX, precision: 'int8', target: 'onnxruntime' },
  },
  { name: 'OpenVINO', runtime: 'openvino', format: 'float32', file: ONNX },
  // Its own choice where the processor has bfloat16 instructions.
  { name: 'OpenVINO', runtime: 'openvino', format: 'bfloat16', file: ONNX, session: { exact: false } },
  {
    ...{ name: 'OpenVINO', runtime: 'openvino', format: 'int8' },
    file: { ...ONNX, precision: 'int8', target: 'openvino' },
  },
]

export interface RuntimeRow {
  readonly name: string
  readonly runtime: RuntimeName
  readonly format: Format
  readonly version: string
  /** Seconds of a call, the median of each round's turn; of processes side by side, the time in which they do one call together. */
  readonly rounds: readonly number[]
  readonly seconds: Spread
}

export interface RuntimeComparison extends Setting {
  readonly network: 'teacher' | 'student'
  readonly batch: number
  readonly macs: number
  readonly rows: readonly RuntimeRow[]
  /** What could not be compared, and why. */
  readonly missing: readonly string[]
}

/** Calls before the first turn. */
const WARM_UP = 10
/** Frames on which int8 is calibrated; its speed does not depend on them. */
const CALIBRATED = 32

/** One network in every runtime, in turns: in one process of each with one thread, or in several that work at the same time. */
export async function compareRuntimes(
  network: 'teacher' | 'student',
  { batch, processes, threads }: Setting & { batch: number },
  context: Context,
): Promise<RuntimeComparison> {
  const { rounds, secondsPerTurn, scratch, cache, precisions, signal, onProgress } = context
  const { data, checkpoints } = loadProfile('default')
  const name = checkpoints?.[network]
  if (!name) throw new Error(`expected a shipped ${network}, found none in the default profile`)
  const model: Model & { readonly sha256: string } = loadCheckpoint(join(SHIPPED, `${name}.json`))
  const dataset = await generateScenes(join(cache, 'bench', 'data'), {
    ...data,
    splits: { train: CALIBRATED, validation: batch },
  })
  const possible = FIELD.filter(({ format }) => format !== 'bfloat16' || precisions.includes('bfloat16'))
  const present = possible.filter(({ runtime }) => isInstalled(runtime))
  const missing = [...new Set(possible.filter((one) => !present.includes(one)).map(({ runtime }) => runtime))]
  const calibration = await calibrate(planOf(model), model.sha256, dataset, { cache, signal })
  const entries: {
    contender: Contender
    sessions: Session[]
    images: NamedTensor
    calls: number
    turns: number[]
  }[] = []
  try {
    for (const [i, contender] of present.entries()) {
      onProgress(`preparing ${contender.name}, ${contender.format}`)
      const request: FileRequest = { ...FILE_DEFAULTS, ...contender.file, calibration }
      const file = join(
        scratch,
        `${network}-${batch}-${i}.${contender.runtime === 'library' ? 'json' : 'onnx'}`,
      )
      const metadata = writeModel(model, file, request)
      const sessions: Session[] = []
      entries.push({
        ...{ contender, sessions, calls: 1, turns: [] },
        images: await framesOf(dataset.splits.validation ?? [], metadata, batch),
      })
      for (let process = 0; process < processes; process++)
        sessions.push(
          await Session.open(file, contender.runtime, metadata, { threads, signal, ...contender.session }),
        )
    }
    for (const entry of entries) {
      const times = await Promise.all(entry.sessions.map((session) => session.time(entry.images, WARM_UP)))
      entry.calls = Math.max(1, Math.ceil((1000 * secondsPerTurn) / Math.min(...times.flat())))
    }
    for (let round = 0; round < rounds; round++) {
      onProgress(`round ${round + 1} of ${rounds}`)
      for (let i = 0; i < entries.length; i++) {
        const { sessions, images, calls, turns } = entries[(i + round) % entries.length]!
        const times = await Promise.all(sessions.map((session) => session.time(images, calls)))
        turns.push(1 / times.reduce((sum, own) => sum + 1000 / spread(own).median, 0))
      }
    }
    return {
      ...{ network, batch, threads, processes, macs: complexity(model.network).macs },
      rows: entries.map(({ contender: { name, runtime, format }, sessions, turns }) => ({
        ...{ name, runtime, format, version: sessions[0]!.version },
        ...{ rounds: turns, seconds: spread(turns) },
      })),
      missing: missing.map(notInstalled),
    }
  } finally {
    await Promise.all(entries.flatMap(({ sessions }) => sessions.map((session) => session.close())))
  }
}
