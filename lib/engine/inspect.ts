/** How tensors are printed: by Node's `console.log` and `inspect`, and as the value of a notebook's cell. */
import { inspect } from 'node:util'
import { scoped, type Tensor, tf } from './native'
import { isRecording } from './recorder'

/** Values that are printed. */
const FIRST = 6

/**
 * A tensor in a line: kind, shape, type and the first values, "Tensor [2, 3] float32: 0.5, 1, 1.5, 2, 2.5, 3". While a graph is
 * being recorded a tensor has no values.
 */
export function describeTensor(tensor: Tensor): string {
  const kind = tensor instanceof tf.Variable ? `Variable ${tensor.name}` : 'Tensor'
  const head = `${kind} [${tensor.shape.join(', ')}] ${tensor.dtype}`
  if (tensor.isDisposed) return `${head}, disposed`
  if (isRecording()) return `${head}, being recorded`
  const count = Math.min(FIRST, tensor.size)
  const values = scoped(() => Array.from<unknown>(tf.slice(tf.reshape(tensor, [-1]), 0, count).dataSync()))
  const words = values.map((value) => valueText(value, tensor.dtype))
  return `${head}: ${words.join(', ') || 'no values'}${tensor.size > FIRST ? ', ...' : ''}`
}

function valueText(value: unknown, dtype: Tensor['dtype']): string {
  if (dtype === 'bool') return String(Boolean(value))
  return typeof value === 'number' ? String(Number(value.toPrecision(5))) : inspect(value)
}

Object.defineProperty(tf.Tensor.prototype, inspect.custom, {
  configurable: true,
  value(this: Tensor) {
    return describeTensor(this)
  },
})
