export { type Compiled, type CompileOptions, compile, type Outputs } from './compile'
export { type Tensor, tf } from './native'
export * from './ops'
export type { Precision } from './precision'
