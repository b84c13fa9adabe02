/**
 * Writes a network's files, an image, this library's outputs for it, and the files that it writes of what it has read, for
 * darknet.py:
 *
 *     node --require tsx/cjs test/detector/oracle/darknet-files.ts <name> <narrow|full> <folder>
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Detector, encodeWeights, readDarknet, toDarknet } from '../../../lib/detector'
import { tf } from '../../../lib/engine'
import { darknetCase, NAMES } from '../darknet-cases'

const [given, size, folder] = process.argv.slice(2)
const name = NAMES.find((candidate) => candidate === given)
if (!name || !folder || (size !== 'narrow' && size !== 'full')) {
  throw new Error(
    `expected <${NAMES.join('|')}> <narrow|full> <folder>, found "${process.argv.slice(2).join(' ')}"`,
  )
}
const files = darknetCase(name, size === 'full')
const path = (file: string) => join(folder, file)
writeFileSync(path('net.cfg'), files.cfg)
writeFileSync(path('net.weights'), files.weights)
writeFileSync(path('image.f32'), Buffer.from(files.image.buffer))
const { network, weights } = readDarknet(path('net.cfg'), path('net.weights'))
const detector = new Detector(network, weights)
const { outputs } = detector.forward(tf.tensor4d(files.image, [1, ...files.size, 3]), { training: false })
const values = outputs.map((output) => Buffer.from(Float32Array.from(output.dataSync()).buffer))
writeFileSync(path('outputs.f32'), Buffer.concat(values))
const again = toDarknet(network, weights)
writeFileSync(path('again.cfg'), again.cfg)
writeFileSync(path('again.weights'), encodeWeights(again.weights))
const heads = network.layers.flatMap((layer, i) => (layer.kind === 'yolo' ? [`conv_${i - 1}`] : []))
writeFileSync(path('case.json'), JSON.stringify({ size: files.size, heads }))
