/** Writes a detector in every format, and reads what a file says of itself. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import { InterruptedError, jsonOf, parseDocument } from '../base'
import { encodeWeights, toDarknet } from '../detector'
import { savedModel } from '../engine'
import type { Grids, Target } from '../quantise/grids'
import { type Calibration, gridsOf } from '../quantise/options'
import { type Plan, planOf } from '../quantise/plan'
import { type Checkpoint, loadCheckpoint, saveCheckpoint, withoutTraining } from '../train'
import {
  type FileFormat,
  FORMATS,
  type Metadata,
  metadataOf,
  metadataSchema,
  metadataTexts,
} from './metadata'
import { onnxFile, onnxMetadata } from './onnx'
import { FILE_DEFAULTS, type FileOptions } from './options'
import { tensorFlowPython } from './runtimes'
import { graphModelFiles, WEIGHTS_FILE } from './tensorflow/graph-model'
import { tensorFlowModel } from './tensorflow/model'

/** A model to export, with the SHA-256 of its weights. */
export type Model = Checkpoint & { readonly sha256: string }

/** A file that is asked for. */
export interface FileRequest extends FileOptions {
  readonly format: FileFormat
  /** Needed for int8. */
  readonly calibration?: Calibration
  /** int8 also in the convolutions that give the logits. */
  readonly int8Head?: boolean
  /** Of int8 ONNX: the runtime. */
  readonly target?: Target
}

const ENDINGS: Readonly<Record<string, FileFormat>> = {
  '.onnx': 'onnx',
  '.tflite': 'tflite',
  '.cfg': 'darknet',
  '.json': 'checkpoint',
}

/** Folders that are called so, or whose names end so. */
const FOLDERS: readonly (readonly [RegExp, FileFormat])[] = [
  [/saved_model\/?$/, 'saved-model'],
  [/tfjs\/?$/, 'tfjs'],
]

/** What a SavedModel keeps beside its graph for other programs. */
const EXTRA = join('assets.extra', 'metadata.json')

/**
 * The format that a name stands for, or that was asked for.
 * @throws Error where they disagree, or the name says nothing
 */
export function formatOf(out: string, asked?: string): FileFormat {
  const format = FORMATS.find((name) => name === asked)
  if (asked !== undefined && !format)
    throw new Error(`format: expected one of ${FORMATS.join(', ')}, found "${asked}"`)
  const named = ENDINGS[extname(out)] ?? FOLDERS.find(([name]) => name.test(out))?.[1]
  const isFolder = format === 'saved-model' || format === 'tfjs'
  if (format !== undefined && (named === format || (isFolder && named === undefined))) return format
  if (format === undefined && named !== undefined) return named
  const endings = Object.entries(ENDINGS).map(([ending, name]) => `${ending} (${name})`)
  throw new Error(
    `${out}: expected a name that ends in ${endings.join(', ')}, or a folder called saved_model or tfjs` +
      `${format ? `; found another that is asked to be ${format}` : ''}`,
  )
}

/** @throws Error naming what the format cannot be */
function checkRequest({ format, head, pixels, batch, precision, calibration, target }: FileRequest): void {
  const refuse = (what: string, instead: string) => {
    throw new Error(`${format}: expected ${instead}, found ${what}`)
  }
  if (head === 'detections' && format !== 'onnx' && format !== 'saved-model')
    refuse('--head detections', '--head logits or decoded; .onnx and saved-model have NMS inside')
  if (format === 'darknet' || format === 'checkpoint') {
    const { head: logits, pixels: float, batch: any, precision: full } = FILE_DEFAULTS
    if (head !== logits || pixels !== float || batch !== any || precision !== full)
      refuse('other options', 'logits of float pixels in float32 and any batch, since it holds weights alone')
  }
  if (format === 'tflite' && batch === 'any')
    refuse('--batch any', 'a number: LiteRT in browsers refuses files of any batch')
  if (precision === 'int8') {
    if (format !== 'onnx' && format !== 'tflite')
      refuse('int8', 'float32 or float16; .onnx and .tflite have int8')
    if (!calibration) throw new Error('int8: expected a calibration, found none')
  }
  if (target !== undefined && (format !== 'onnx' || precision !== 'int8'))
    refuse(`--for ${target}`, 'it only of an .onnx file in int8')
}

/** A model's plan and what a file of it says of itself. */
export function describe(model: Model, request: FileRequest): { plan: Plan; metadata: Metadata } {
  const plan = planOf(model)
  const { format, precision, calibration, int8Head = false } = request
  const target = format === 'onnx' && precision === 'int8' ? (request.target ?? 'onnxruntime') : undefined
  const metadata = metadataOf(plan, request, {
    classes: [...model.classes],
    checkpoint: model.sha256,
    layout: format === 'onnx' ? 'NCHW' : 'NHWC',
    ...(precision === 'int8' && { calibration: calibration?.sha256, int8Head }),
    ...(target && { target }),
  })
  return { plan, metadata }
}

/**
 * Writes a model as `out` (and files beside it, or in it where it is a folder), as it is; see `exportModel` for one that is proved.
 *
 * @throws Error naming what the format cannot be
 */
export function writeModel(model: Model, out: string, request: FileRequest): Metadata {
  checkRequest(request)
  const { plan, metadata } = describe(model, request)
  const text = JSON.stringify(metadata, null, 2)
  mkdirSync(dirname(out), { recursive: true })
  const half = request.precision === 'float16'
  const { calibration, int8Head = false } = request
  const grids = (symmetric = false): Grids | undefined =>
    request.precision === 'int8' && calibration
      ? gridsOf(calibration, { head: int8Head, symmetric })
      : undefined
  switch (request.format) {
    case 'onnx': {
      const { target = 'onnxruntime' } = request
      const options = { half, target, grids: grids(target === 'tensorrt') }
      writeFileSync(out, onnxFile(plan, request, metadataTexts(metadata), options))
      break
    }
    case 'saved-model':
      writeSavedModel(out, plan, request, { halfWeights: half })
      mkdirSync(dirname(join(out, EXTRA)), { recursive: true })
      writeFileSync(join(out, EXTRA), text)
      break
    case 'tfjs': {
      const graph = tensorFlowModel(plan, request, { fused: true })
      const { model: json, weights } = graphModelFiles(graph, { half, metadata })
      mkdirSync(out, { recursive: true })
      writeFileSync(join(out, 'model.json'), json)
      writeFileSync(join(out, WEIGHTS_FILE), weights)
      break
    }
    case 'tflite':
      writeTflite(out, plan, request, grids(), JSON.stringify(metadata))
      break
    case 'darknet':
      writeDarknet(model, out, text)
      break
    case 'checkpoint':
      saveCheckpoint(out, withoutTraining(model))
      break
  }
  return metadata
}

function writeSavedModel(
  folder: string,
  plan: Plan,
  options: FileOptions,
  graph: { readonly halfWeights?: boolean; readonly grids?: Grids },
): void {
  const { nodes, signature } = tensorFlowModel(plan, options, graph)
  mkdirSync(join(folder, 'variables'), { recursive: true })
  writeFileSync(join(folder, 'saved_model.pb'), savedModel(nodes, signature))
}

/** TensorFlow's converter makes the file of a SavedModel. */
function writeTflite(
  out: string,
  plan: Plan,
  request: FileRequest,
  grids: Grids | undefined,
  metadata: string,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'tflite-'))
  try {
    writeSavedModel(folder, plan, request, { grids })
    const words = [join(__dirname, 'tensorflow/convert.py'), folder, out, request.precision, metadata]
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' }
    const { status, signal, stderr } = spawnSync(tensorFlowPython(), words, { encoding: 'utf8', env })
    // On a terminal Ctrl-C reaches it too.
    if (signal === 'SIGINT' || /^KeyboardInterrupt/m.test(stderr)) throw new InterruptedError()
    if (status !== 0) throw new Error(`${out}: TensorFlow's converter failed:\n${stderr.trim().slice(-2000)}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The metadata stand in a cfg's remarks, which readers skip. */
function writeDarknet(model: Model, out: string, metadata: string): void {
  const stem = out.slice(0, -extname(out).length)
  const { cfg, weights } = toDarknet(model.network, model.weights)
  const remarks = metadata.split('\n').map((line) => `${REMARK}${line}\n`)
  writeFileSync(out, remarks.join('') + cfg)
  writeFileSync(`${stem}.weights`, encodeWeights(weights))
  writeFileSync(`${stem}.names`, model.classes.map((label) => `${label}\n`).join(''))
}

const REMARK = '#metadata '

/** The format of a file or folder that was exported. */
export function formatOfFile(file: string): FileFormat {
  if (existsSync(join(file, 'saved_model.pb'))) return 'saved-model'
  if (existsSync(join(file, 'model.json'))) return 'tfjs'
  return formatOf(file)
}

/**
 * What an exported file says of itself.
 * @throws Error naming the file and what is missing in it
 */
export function readMetadata(file: string): Metadata {
  const format = formatOfFile(file)
  if (format === 'checkpoint') {
    return describe(loadCheckpoint(file), { ...FILE_DEFAULTS, format }).metadata
  }
  const found = metadataIn(file, format)
  if (found === undefined)
    throw new Error(`${file}: expected the metadata that an export writes, found none; export it again`)
  return parseDocument(found, metadataSchema, file, { what: 'the metadata of an export' })
}

function metadataIn(file: string, format: FileFormat): unknown {
  switch (format) {
    case 'onnx': {
      const texts = [...onnxMetadata(readFileSync(file))]
      return Object.fromEntries(texts.map(([key, value]) => [key, jsonOf(value, `${file}: ${key}`)]))
    }
    case 'saved-model':
      return existsSync(join(file, EXTRA)) ? jsonOf(readFileSync(join(file, EXTRA), 'utf8'), file) : undefined
    case 'tfjs': {
      const model = jsonOf(readFileSync(join(file, 'model.json'), 'utf8'), join(file, 'model.json'))
      return (model as { readonly userDefinedMetadata?: unknown }).userDefinedMetadata
    }
    case 'tflite': {
      const text = storedInZip(readFileSync(file), 'metadata.json')
      return text && jsonOf(text.toString('utf8'), file)
    }
    case 'darknet': {
      const lines = readFileSync(file, 'utf8').split('\n')
      const own = lines.filter((line) => line.startsWith(REMARK)).map((line) => line.slice(REMARK.length))
      return own.length > 0 ? jsonOf(own.join('\n'), basename(file)) : undefined
    }
    case 'checkpoint':
      return undefined
  }
}

/** An uncompressed file of the zip archive that stands at the end of another (APPNOTE.TXT 4.3.7: local file header). */
function storedInZip(content: Buffer, name: string): Buffer | undefined {
  const at = content.lastIndexOf(Buffer.from(`PK\x03\x04`, 'latin1'))
  if (at < 0) return undefined
  const [size, nameLength, extraLength] = [
    content.readUInt32LE(at + 18),
    content.readUInt16LE(at + 26),
    content.readUInt16LE(at + 28),
  ]
  const begin = at + 30 + nameLength + extraLength
  const isIt = content.toString('utf8', at + 30, at + 30 + nameLength) === name
  return isIt ? content.subarray(begin, begin + size) : undefined
}
