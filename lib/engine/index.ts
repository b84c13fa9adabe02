export { type Compiled, type CompileOptions, compile } from './compile'
export {
  type DeviceInfo,
  deviceInfo,
  supportsPrecision,
  TF32_CAPABILITY,
  THREADS,
} from './device'
export { type DeviceArray, Float64Device, inFloat64 } from './float64'
export { GRAPH_REVISION } from './graphdef'
export { beforeOperations, nativeBackend, scoped, type Tensor, tf } from './native'
export * from './ops'
export type { Precision } from './precision'
export { softmaxDivergence } from './softmax'
export type { Tree } from './tree'
