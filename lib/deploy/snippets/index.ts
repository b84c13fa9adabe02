/** Code that runs an exported file, for its README: reads a picture, runs it, prints what came out. */
import type { FileFormat, Metadata } from '../metadata'
import { onnx } from './onnx'
import type { Snippet } from './shared'
import { savedModel, tfjs } from './tensorflow'
import { tflite } from './tflite'
import { checkpoint, darknet } from './weights'

/** In Python, C++ and JavaScript. */
export function code(name: string, format: FileFormat, metadata: Metadata): Snippet[] {
  const of = { onnx, tflite, 'saved-model': savedModel, tfjs, darknet, checkpoint }[format]
  return of(name, metadata)
}
