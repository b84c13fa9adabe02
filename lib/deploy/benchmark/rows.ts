/** What a benchmark compares: a model in every format and runtime that is here. */
import { supportsPrecision } from '../../engine'
import type { FileRequest } from '../files'
import { FILE_DEFAULTS } from '../options'
import { isInstalled, notInstalled, RUNTIMES, type RuntimeName } from '../runtimes'
import type { SessionOptions } from '../runtimes/session'

/** A file and how it is run. */
export interface Contender {
  /** For people; unique. */
  readonly name: string
  readonly request: Omit<FileRequest, 'calibration'>
  readonly runtime: RuntimeName
  readonly session: Pick<SessionOptions, 'exact' | 'precision'>
  /** Whether decoding and NMS are in its time: it stands beside the others, and not among them. */
  readonly withNms: boolean
}

const contender = (
  name: string,
  runtime: RuntimeName,
  request: Partial<FileRequest> & Pick<FileRequest, 'format'>,
  session: Contender['session'] = {},
): Contender => ({
  ...{ name, runtime, session },
  request: { ...FILE_DEFAULTS, ...request },
  withNms: request.head === 'detections',
})

/** The first is what all others are compared with. */
const ALL: readonly Contender[] = [
  contender('this library, float32', 'library', { format: 'checkpoint' }),
  contender('this library, bfloat16', 'library', { format: 'checkpoint' }, { precision: 'bfloat16' }),
  contender('SavedModel, TensorFlow', 'saved-model', { format: 'saved-model' }),
  contender('ONNX float32, ONNX Runtime', 'onnxruntime', { format: 'onnx' }),
  contender('ONNX float32 with NMS, ONNX Runtime', 'onnxruntime', { format: 'onnx', head: 'detections' }),
  contender('ONNX int8, ONNX Runtime', 'onnxruntime', {
    ...{ format: 'onnx', precision: 'int8', target: 'onnxruntime' },
  }),
  contender('ONNX float32, OpenVINO', 'openvino', { format: 'onnx' }),
  contender(
    "ONNX float32, OpenVINO's own choice of precision",
    'openvino',
    { format: 'onnx' },
    { exact: false },
  ),
  contender('ONNX float16, OpenVINO', 'openvino', { format: 'onnx', precision: 'float16' }),
  contender('ONNX int8, OpenVINO', 'openvino', { format: 'onnx', precision: 'int8', target: 'openvino' }),
  contender('ONNX float32, OpenCV', 'opencv', { format: 'onnx' }),
  contender('TFLite float32, LiteRT', 'litert', { format: 'tflite', batch: 1 }),
  contender('TFLite float16 weights, LiteRT', 'litert', { format: 'tflite', batch: 1, precision: 'float16' }),
  contender('TFLite int8, LiteRT', 'litert', { format: 'tflite', batch: 1, precision: 'int8' }),
  contender('TF.js float32, WebAssembly', 'tfjs', { format: 'tfjs' }),
]

/**
 * Those that can run here, and why the others cannot.
 *
 * @param only these runtimes, and the library itself
 */
export function contenders(only: readonly RuntimeName[] = RUNTIMES): {
  readonly rows: readonly Contender[]
  readonly missing: readonly string[]
} {
  const missing = new Set<string>()
  const asked = ALL.filter(({ runtime }) => runtime === 'library' || only.includes(runtime))
  const rows = asked.filter(({ runtime, session: { precision = 'float32' } }) => {
    const supported = supportsPrecision(precision)
    if (supported !== true) missing.add(supported)
    if (!isInstalled(runtime)) missing.add(notInstalled(runtime))
    return supported === true && isInstalled(runtime)
  })
  return { rows, missing: [...missing] }
}
