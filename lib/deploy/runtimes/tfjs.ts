/** Runs a TF.js graph model on the WebAssembly backend, as session.ts asks: the same messages as run.py's. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import '@tensorflow/tfjs-backend-wasm'
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter'
import { io, setBackend, type Tensor, tensor, version_core } from '@tensorflow/tfjs-core'
import { type SessionSettings, serve } from './messages'

async function load(folder: string): Promise<GraphModel> {
  const model = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as io.ModelJSON
  const parts = model.weightsManifest.flatMap(({ paths }) =>
    paths.map((path) => readFileSync(join(folder, path))),
  )
  const bytes = Buffer.concat(parts)
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  return loadGraphModel(
    io.fromMemory({
      ...{ modelTopology: model.modelTopology, weightData, signature: model.signature },
      weightSpecs: model.weightsManifest.flatMap(({ weights }) => weights),
      format: model.format,
    }),
  )
}

async function main([folder, text]: readonly string[]): Promise<void> {
  const settings = JSON.parse(text!) as SessionSettings
  await setBackend('wasm')
  const model = await load(folder!)
  const run = (images: Tensor): Tensor[] => {
    const found = model.execute({ images }, [...settings.outputs])
    return Array.isArray(found) ? found : [found]
  }
  await serve(version_core, {
    prepare: ({ shape, values }) =>
      settings.pixels === 'uint8'
        ? tensor(Int32Array.from(values), [...shape], 'int32')
        : tensor(values, [...shape]),
    run: (images) => {
      const found = run(images)
      const results = found.map((value, i) => {
        const values = Float32Array.from(value.dataSync())
        return [settings.outputs[i]!, { shape: value.shape, values }] as const
      })
      for (const value of found) value.dispose()
      return new Map(results)
    },
    dispose: (images) => images.dispose(),
  })
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
