/** Where a forward pass spends its time, layer by layer: the operations of the exported graph, which are the library's own kernels. */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { jsonOf, parseDocument, temporaryFolder } from '../../base'
import { layerMacs, layersOf } from '../../detector'
import { type Model, writeModel } from '../files'
import { FILE_DEFAULTS } from '../options'
import { tensorFlowPython } from '../runtimes'

/** A layer in several models. */
export interface LayerTimes {
  readonly name: string
  /** Of each model; undefined where it does not have the layer. */
  readonly models: readonly (
    | {
        /** Channels that it gives; undefined of a layer without weights. */
        readonly channels: number | undefined
        readonly macs: number
        readonly milliseconds: number
      }
    | undefined
  )[]
}

/** Where models spend the time of a call. */
export interface TimesByLayer {
  /** In the order of the first model's network. */
  readonly layers: readonly LayerTimes[]
  /** Milliseconds of a whole call of each model: its layers, and what starting them takes. */
  readonly calls: readonly number[]
}

const tracedSchema = z.array(z.object({ call: z.number(), operations: z.record(z.number()) }))

const CALLS = 100
const PROGRAM = join(__dirname, 'trace.py')

/**
 * Times every layer of models with the same input in turns: one image of noise, one thread, float32, the median of `calls` traced calls.
 * TensorFlow fuses bias and activation into the convolutions, so that a layer is one operation.
 *
 * @throws Error with Python's output where TensorFlow does not run
 */
export async function timeLayers(
  models: readonly Model[],
  { calls = CALLS, signal }: { readonly calls?: number; readonly signal?: AbortSignal } = {},
): Promise<TimesByLayer> {
  const folder = temporaryFolder('layers')
  try {
    const files = models.map((model, i) => {
      const file = join(folder, String(i))
      writeModel(model, file, { ...FILE_DEFAULTS, format: 'saved-model' })
      return file
    })
    const [height, width] = models[0]!.network.input
    const { stdout } = await promisify(execFile)(
      tensorFlowPython(),
      [PROGRAM, ...[calls, height, width].map(String), ...files],
      { env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env }, maxBuffer: 2 ** 26, signal },
    )
    const traced = parseDocument(jsonOf(stdout, 'trace.py'), tracedSchema, 'trace.py')
    const tables = models.map((model, i) => timesOf(model, traced[i]!.operations))
    const names = [...new Set(tables.flatMap((table) => [...table.keys()]))]
    return {
      layers: names.map((name) => ({ name, models: tables.map((table) => table.get(name)) })),
      calls: traced.map(({ call }) => call),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The operations of every layer together; an operation belongs to the layer whose name its own begins with. */
function timesOf({ network }: Model, operations: Readonly<Record<string, number>>) {
  const weighted = new Map(layersOf(network).layers.map((layer) => [layer.name, layer]))
  const table = new Map(
    network.layers.map(({ name }) => {
      const layer = weighted.get(name)
      return [name, { channels: layer?.out, macs: layer ? layerMacs(layer) : 0, milliseconds: 0 }]
    }),
  )
  for (const [operation, milliseconds] of Object.entries(operations)) {
    const parts = operation.split('/')
    const candidates = parts.map((_, i) => parts.slice(0, parts.length - i).join('/'))
    const entry = candidates.flatMap((name) => table.get(name) ?? [])[0]
    if (entry) entry.milliseconds += milliseconds
  }
  return new Map([...table].filter(([, { milliseconds }]) => milliseconds > 0))
}
