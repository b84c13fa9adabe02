/** A detector as an .onnx file. */
import type { Grids } from '../../quantise/grids'
import type { Plan } from '../../quantise/plan'
import type { FileOptions } from '../options'
import { outputsOf, writeOutputs } from '../outputs'
import { INPUT } from '../tensorflow/model'
import type { OnnxOptions } from './body'
import { OnnxWriter } from './graph'
import { onnxModel, TYPE } from './model'

export { onnxMetadata } from './model'

/** Name of the length that is the batch's. */
const BATCH = 'n'

/**
 * The bytes of an .onnx file: input `images`, float [n, 3, h, w] or uint8 [n, h, w, 3], outputs with the names of `outputsOf`, logits
 * [n, c, h, w].
 */
export function onnxFile(
  plan: Plan,
  { head, batch, pixels }: FileOptions,
  metadata: ReadonlyMap<string, string>,
  { grids, ...options }: OnnxOptions & { readonly grids?: Grids } = {},
): Uint8Array {
  const described = outputsOf(plan, head)
  const writer = new OnnxWriter(options, [INPUT, ...described.map(({ name }) => name)])
  const n = batch === 'any' ? BATCH : batch
  const [h, w] = plan.input
  const given = { name: INPUT }
  const floats = pixels === 'uint8' ? writer.scaledPixels(given) : given
  const input = options.half ? writer.cast(floats, TYPE.float16, 'images/half') : floats
  const results = writeOutputs(writer, plan, input, head, grids)
  const outputs = described.map(({ name, shape, type }, i) => {
    writer.rename(results[i]!, name)
    const [rows, columns, channels] = shape
    const ordered = head === 'logits' ? [channels!, rows!, columns!] : shape
    return { name, type, shape: [n, ...ordered] }
  })
  const shape = pixels === 'uint8' ? [n, h, w, 3] : [n, 3, h, w]
  const inputs = [
    { name: INPUT, type: pixels === 'uint8' ? ('uint8' as const) : ('float32' as const), shape },
  ]
  const { nodes, tensors } = writer
  return onnxModel({ name: 'detector', nodes, tensors, inputs, outputs }, metadata)
}
