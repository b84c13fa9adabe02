export type { GraphSize } from './build'
export { type Compiled, type CompileOptions, compile } from './compile'
export {
  type DeviceInfo,
  deviceInfo,
  supportsPrecision,
  TF32_CAPABILITY,
  THREADS,
} from './device'
export { type DeviceArray, Float64Device, inFloat64 } from './float64'
export { freeArrays } from './garbage'
export { type Constant, firstOutput, type GraphNode, keyOf, type NodeOutput } from './graph'
export { GRAPH_REVISION, placeholder, type Signature, type SignatureValue, savedModel } from './graphdef'
export { describeTensor } from './inspect'
export { assignJoined, joined } from './joined'
export {
  ATTR,
  type Attribute,
  attribute,
  beforeOperations,
  DTYPE,
  execute,
  nativeBackend,
  scoped,
  type Tensor,
  tf,
} from './native'
export * from './ops'
export { pixelTensor, unitPixels } from './pixels'
export type { Precision } from './precision'
export { softmaxDivergence } from './softmax'
export type { Tree } from './tree'
