/** Runs a .tflite file in LiteRT. */
import type { Metadata } from '../metadata'
import { cpp, cppType, imagesOf, python, quoted, type Snippet, shapeOf } from './shared'

export function tflite(name: string, metadata: Metadata): Snippet[] {
  const type = cppType(metadata)
  const jsType = metadata.pixels === 'uint8' ? 'Int32Array' : 'Float32Array'
  const n = imagesOf(metadata)
  return [
    python(metadata, {
      packages: 'ai-edge-litert numpy pillow',
      imports: 'from ai_edge_litert.interpreter import Interpreter',
      run: `interpreter = Interpreter(${quoted(name)})
interpreter.allocate_tensors()
outputs = interpreter.get_signature_runner()(images=images)`,
    }),
    cpp(
      "With LiteRT's (TensorFlow Lite's) headers and library.",
      [
        'tensorflow/lite/interpreter_builder.h',
        'tensorflow/lite/kernels/register.h',
        'tensorflow/lite/model_builder.h',
        'memory',
      ],
      `
  auto model = tflite::FlatBufferModel::BuildFromFile(${quoted(name)});
  tflite::ops::builtin::BuiltinOpResolver resolver;
  std::unique_ptr<tflite::Interpreter> interpreter;
  tflite::InterpreterBuilder(*model, resolver)(&interpreter);
  auto *runner = interpreter->GetSignatureRunner("serving_default");
  runner->AllocateTensors();
  auto *images = reinterpret_cast<${type} *>(runner->input_tensor("images")->data.raw);
  images[0] = 0;  // fill it from your picture as said above
  runner->Invoke();
  const TfLiteTensor *first = runner->output_tensor("${metadata.outputs[0]}");
  return first == nullptr;`,
    ),
    {
      language: 'js',
      title: 'JavaScript',
      about:
        'In a browser, with `@litertjs/core`: its WebAssembly files stand under /wasm/; `rgba` are the pixels of a canvas.',
      text: `
import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core'

await loadLiteRt('/wasm/')
const model = await loadAndCompile(${quoted(name)}, { accelerator: 'wasm' })
const rgb = rgba.filter((_, i) => i % 4 < 3)${
        n === 1
          ? ''
          : `
const pixels = Array(${n}).fill([...rgb]).flat()`
      }
const images = ${jsType}.from(${n === 1 ? 'rgb' : 'pixels'}${metadata.pixels === 'uint8' ? '' : ', (value) => value / 255'})
const outputs = model.run({ images: new Tensor(images, [${shapeOf(metadata)}]) })
for (const [name, value] of Object.entries(outputs)) console.log(name, value.type.layout.dimensions)`,
    },
  ]
}
