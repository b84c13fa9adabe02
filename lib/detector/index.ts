export { checkNetwork } from './check'
export { logitLayers, selectClasses, withClasses } from './classes'
export * from './complexity'
export * from './darknet'
export * from './darknet21'
export * from './decode'
export * from './decode-options'
export * from './decode-plain'
export * from './detector'
export { drawNetwork } from './drawing'
export { sourcesOf } from './graph'
export { coarsestStride, type HeadConfig, headsOf } from './heads'
export { type Interpreted, interpret, type Operations } from './interpret'
export { layersOf, type Pool, type WeightedLayer } from './layers'
export { type Shape, shapesOf } from './shapes'
export { sketchNetwork } from './sketch'
export * from './spec'
export { summary } from './summary'
export {
  activate,
  BATCH_NORM_EPSILON,
  LOWEST,
  maxPool,
  type PoolWindows,
  poolWindows,
  SLOPE,
} from './tensors'
export { networkText } from './text'
export { isDepthwise, withWidths } from './widths'
