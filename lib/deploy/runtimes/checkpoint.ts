/** Runs a checkpoint, or Darknet's files, with the library's own forward pass, as session.ts asks: the same messages as run.py's. */
import { readDarknet } from '../../detector'
import { compile, type Precision, type Tensor, tf } from '../../engine'
import { detectorOf } from '../../quantise'
import { loadCheckpoint } from '../../train'
import { type SessionSettings, serve } from './messages'

async function main([file, text]: readonly string[]): Promise<void> {
  const settings = JSON.parse(text!) as SessionSettings & { readonly precision: Precision }
  const network = load(file!)
  const forward = compile((images: Tensor) => network(images as tf.Tensor4D), {
    precision: settings.precision,
    name: 'forward',
  })
  await serve(tf.version['tfjs-core'], {
    prepare: ({ shape, values }) => tf.tensor(values, [...shape]),
    run: (images) => {
      const outputs = forward(images)
      const found = outputs.map((output, i) => {
        const values = Float32Array.from(output.dataSync())
        return [settings.outputs[i]!, { shape: output.shape, values }] as const
      })
      tf.dispose(outputs)
      return new Map(found)
    },
    dispose: (images) => images.dispose(),
  })
}

function load(file: string): (images: tf.Tensor4D) => tf.Tensor4D[] {
  const isDarknet = file.endsWith('.cfg')
  const detector = detectorOf(
    isDarknet ? readDarknet(file, file.replace(/\.cfg$/, '.weights')) : loadCheckpoint(file),
  )
  return (images) => [...detector.forward(images, { training: false }).outputs]
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
