export { type DarknetCfg, parseCfg } from './cfg'
export { fromDarknet, toDarknet } from './convert'
export { type DarknetModel, readDarknet } from './files'
export {
  type ConvolutionWeights,
  convolutionsOf,
  countNumbers,
  type DarknetWeights,
  decodeWeights,
  encodeWeights,
} from './weights'
export { networkCfg } from './writer'
export { type Yolov3Options, yolov3, yolov3Spp, yolov3Tiny } from './yolov3'
