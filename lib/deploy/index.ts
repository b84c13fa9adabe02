export { type BenchmarkOptions, benchmark, type NamedModel } from './benchmark'
export { benchmarkOf, type StudyBenchmark } from './benchmark/of-study'
export {
  type Benchmark,
  type BenchmarkRow,
  benchmarkSchema,
  bestWithin,
  paretoFront,
  readBenchmark,
  SHIPPED_BENCHMARK,
  shippedBenchmark,
} from './benchmark/result'
export { detectionsIn, predictWith } from './detections'
export { type Exported, exportModel, sizeOf } from './export'
export { type FileRequest, formatOf, formatOfFile, type Model, readMetadata, writeModel } from './files'
export { type LayerTimes, type TimesByLayer, timeLayers } from './layers'
export { type FileFormat, FORMATS as FILE_FORMATS, type Metadata } from './metadata'
export {
  FILE_DEFAULTS,
  type FileOptions,
  type FilePrecision,
  HEADS,
  type Head,
  PIXELS,
  type Pixels,
  PRECISIONS,
} from './options'
export { BOUNDS as PROOF_BOUNDS, type Proof, type ProofData, prove, provingRuntime } from './proof'
export { isInstalled, notInstalled, RUNTIME, RUNTIMES, type RuntimeName } from './runtimes'
export { Session, type SessionOptions } from './runtimes/session'
