export { type DarknetCfg, type DarknetLayer, parseCfg } from './cfg'
export { detectorCfg, fromDarknet, toDarknet } from './detector'
export { readDarknet } from './files'
export { DARKNET_EPSILON, DarknetNetwork, decodingOf } from './network'
export {
  type ConvolutionWeights,
  convolutionsOf,
  countNumbers,
  type DarknetWeights,
  decodeWeights,
  encodeWeights,
} from './weights'
export { type Yolov3Options, yolov3Cfg, yolov3SppCfg, yolov3TinyCfg } from './yolov3'
