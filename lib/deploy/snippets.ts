/** Code that runs an exported file, for its README: reads a picture, runs it, prints what came out. */
import type { FileFormat, Metadata } from './metadata'

export interface Snippet {
  readonly language: 'python' | 'cpp' | 'js'
  readonly title: string
  /** What it needs, in a sentence. */
  readonly about?: string
  readonly text?: string
}

/** In Python, C++ and JavaScript. */
export function code(name: string, format: FileFormat, metadata: Metadata): Snippet[] {
  const of = { onnx, tflite, 'saved-model': savedModel, tfjs, darknet, checkpoint }[format]
  return of(name, metadata)
}

/** Reads a picture as `images`, with Pillow, as the file takes it. */
function pythonImages({ input: [h, w], pixels, layout }: Metadata): string {
  const scaled = pixels === 'uint8' ? 'np.uint8' : 'np.float32'
  const lines = [
    `picture = Image.open('picture.jpg').convert('RGB').resize((${w}, ${h}), Image.BILINEAR)`,
    `images = np.asarray(picture, ${scaled})[None]${pixels === 'uint8' ? '' : ' / 255'}`,
  ]
  if (isChannelsFirst({ layout, pixels }))
    lines.push('images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))')
  if (pixels !== 'uint8') lines.push('images = images.astype(np.float32)')
  return lines.join('\n')
}

const PRINT = `for name, value in outputs.items():
    print(name, value.shape, float(value.min()), float(value.max()))`

/** Reads a picture with sharp; [h, w, 3] of bytes. */
const jsPixels = ({ input: [h, w] }: Metadata) =>
  `const pixels = await sharp('picture.jpg').removeAlpha().resize(${w}, ${h}, { fit: 'fill' }).raw().toBuffer()`

/** \`images\` as a typed array in the file's order. */
function jsImages({ input: [h, w], pixels, layout }: Metadata): string {
  if (pixels === 'uint8') return 'const images = Uint8Array.from(pixels)'
  if (layout === 'NHWC') return 'const images = Float32Array.from(pixels, (value) => value / 255)'
  return `const images = new Float32Array(pixels.length)
pixels.forEach((value, i) => {
  images[(i % 3) * ${h * w} + Math.floor(i / 3)] = value / 255
})`
}

/** Bytes are [n, h, w, 3] in every format. */
const isChannelsFirst = ({ layout, pixels }: Pick<Metadata, 'layout' | 'pixels'>) =>
  layout === 'NCHW' && pixels === 'float'
const shapeOf = (metadata: Metadata) => {
  const [h, w] = metadata.input
  return isChannelsFirst(metadata) ? `1, 3, ${h}, ${w}` : `1, ${h}, ${w}, 3`
}
const names = ({ outputs }: Metadata) => outputs.map((name) => `"${name}"`).join(', ')
const cppType = ({ pixels }: Metadata) => (pixels === 'uint8' ? 'uint8_t' : 'float')

function onnx(name: string, metadata: Metadata): Snippet[] {
  const type = cppType(metadata)
  const size = metadata.input[0] * metadata.input[1] * 3
  const jsType = metadata.pixels === 'uint8' ? 'uint8' : 'float32'
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install onnxruntime numpy pillow`',
      text: `
import numpy as np
import onnxruntime
from PIL import Image

${pythonImages(metadata)}
session = onnxruntime.InferenceSession('${name}')
outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {'images': images})))
${PRINT}`,
    },
    {
      language: 'cpp',
      title: 'C++',
      about:
        'With the header and library of ONNX Runtime; `images` is filled from your picture as said above.',
      text: `
#include <onnxruntime_cxx_api.h>
#include <vector>

int main() {
  Ort::Env env;
  Ort::Session session(env, "${name}", Ort::SessionOptions{});
  std::vector<${type}> images(${size});
  std::vector<int64_t> shape{${shapeOf(metadata)}};
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  auto input = Ort::Value::CreateTensor<${type}>(memory, images.data(), images.size(), shape.data(), shape.size());
  const char *inputs[] = {"images"};
  const char *names[] = {${names(metadata)}};
  auto outputs = session.Run(Ort::RunOptions{}, inputs, &input, 1, names, ${metadata.outputs.length});
  const float *first = outputs[0].GetTensorData<float>();
  return first == nullptr;
}`,
    },
    {
      language: 'js',
      title: 'JavaScript',
      about: '`npm install onnxruntime-web sharp`; in a browser the pixels come from a canvas.',
      text: `
import ort from 'onnxruntime-web'
import sharp from 'sharp'

${jsPixels(metadata)}
${jsImages(metadata)}
const session = await ort.InferenceSession.create('${name}')
const outputs = await session.run({ images: new ort.Tensor('${jsType}', images, [${shapeOf(metadata)}]) })
for (const [name, { dims }] of Object.entries(outputs)) console.log(name, dims)`,
    },
  ]
}

function tflite(name: string, metadata: Metadata): Snippet[] {
  const type = cppType(metadata)
  const jsType = metadata.pixels === 'uint8' ? 'Int32Array' : 'Float32Array'
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install ai-edge-litert numpy pillow`',
      text: `
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

${pythonImages(metadata)}
images = np.repeat(images, ${metadata.batch}, 0)
interpreter = Interpreter('${name}')
interpreter.allocate_tensors()
outputs = interpreter.get_signature_runner()(images=images)
${PRINT}`,
    },
    {
      language: 'cpp',
      title: 'C++',
      about: "With LiteRT's (TensorFlow Lite's) headers and library.",
      text: `
#include <tensorflow/lite/interpreter_builder.h>
#include <tensorflow/lite/kernels/register.h>
#include <tensorflow/lite/model_builder.h>
#include <memory>

int main() {
  auto model = tflite::FlatBufferModel::BuildFromFile("${name}");
  tflite::ops::builtin::BuiltinOpResolver resolver;
  std::unique_ptr<tflite::Interpreter> interpreter;
  tflite::InterpreterBuilder(*model, resolver)(&interpreter);
  auto *runner = interpreter->GetSignatureRunner("serving_default");
  runner->AllocateTensors();
  auto *images = reinterpret_cast<${type} *>(runner->input_tensor("images")->data.raw);
  images[0] = 0;  // fill it from your picture as said above
  runner->Invoke();
  const TfLiteTensor *first = runner->output_tensor("${metadata.outputs[0]}");
  return first == nullptr;
}`,
    },
    {
      language: 'js',
      title: 'JavaScript',
      about:
        'In a browser, with `@litertjs/core`: its WebAssembly files stand under /wasm/; `rgba` are the pixels of a canvas.',
      text: `
import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core'

await loadLiteRt('/wasm/')
const model = await loadAndCompile('${name}', { accelerator: 'wasm' })
const images = ${jsType}.from(rgba.filter((_, i) => i % 4 < 3)${metadata.pixels === 'uint8' ? '' : ', (value) => value / 255'})
const outputs = model.run({ images: new Tensor(images, [${shapeOf(metadata)}]) })
for (const [name, value] of Object.entries(outputs)) console.log(name, value.type.layout.dimensions)`,
    },
  ]
}

function savedModel(name: string, metadata: Metadata): Snippet[] {
  const type = metadata.pixels === 'uint8' ? 'TF_UINT8' : 'TF_FLOAT'
  const dtype = metadata.pixels === 'uint8' ? 'int32' : 'float32'
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install tensorflow pillow`',
      text: `
import numpy as np
import tensorflow as tf
from PIL import Image

${pythonImages(metadata)}
model = tf.saved_model.load('${name}')
outputs = {name: value.numpy() for name, value in model.signatures['serving_default'](images=tf.constant(images)).items()}
${PRINT}`,
    },
    {
      language: 'cpp',
      title: 'C++',
      about: "With TensorFlow's C library (tensorflow/c/c_api.h).",
      text: `
#include <tensorflow/c/c_api.h>

int main() {
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), nullptr, "${name}", tags, 1, graph, nullptr, status);
  const int64_t shape[] = {${shapeOf(metadata)}};
  const size_t bytes = ${metadata.input[0] * metadata.input[1] * 3}${metadata.pixels === 'uint8' ? '' : ' * sizeof(float)'};
  TF_Tensor *images = TF_AllocateTensor(${type}, shape, 4, bytes);  // fill TF_TensorData(images) as said above
  TF_Output input = {TF_GraphOperationByName(graph, "images"), 0};
  TF_Output output = {TF_GraphOperationByName(graph, "${metadata.outputs[0]}"), 0};
  TF_Tensor *first = nullptr;
  TF_SessionRun(session, nullptr, &input, &images, 1, &output, &first, 1, nullptr, 0, nullptr, status);
  return TF_GetCode(status);
}`,
    },
    {
      language: 'js',
      title: 'JavaScript',
      about: '`npm install @tensorflow/tfjs-node sharp`',
      text: `
import tf from '@tensorflow/tfjs-node'
import sharp from 'sharp'

${jsPixels(metadata)}
${jsImages(metadata)}
const model = await tf.node.loadSavedModel('${name}')
const outputs = model.predict({ images: tf.tensor(images, [${shapeOf(metadata)}], '${dtype}') })
for (const [name, { shape }] of Object.entries(outputs)) console.log(name, shape)`,
    },
  ]
}

function tfjs(name: string, metadata: Metadata): Snippet[] {
  const dtype = metadata.pixels === 'uint8' ? 'int32' : 'float32'
  return [
    {
      language: 'js',
      title: 'JavaScript',
      about:
        '`npm install @tensorflow/tfjs-converter @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm sharp`; in a browser ' +
        "`loadGraphModel` takes the address of model.json, and the backends 'webgpu' and 'webgl' are faster.",
      text: `
import { readFileSync } from 'node:fs'
import '@tensorflow/tfjs-backend-wasm'
import { loadGraphModelSync } from '@tensorflow/tfjs-converter'
import { setBackend, tensor } from '@tensorflow/tfjs-core'
import sharp from 'sharp'

${jsPixels(metadata)}
${jsImages(metadata)}
await setBackend('wasm')
const { modelTopology, signature, weightsManifest, format } = JSON.parse(readFileSync('${name}/model.json', 'utf8'))
const model = loadGraphModelSync({
  load: () => ({
    modelTopology, signature, format,
    weightSpecs: weightsManifest[0].weights,
    weightData: new Uint8Array(readFileSync('${name}/weights.bin')).buffer,
  }),
})
const names = [${names(metadata)}]
const outputs = model.execute({ images: tensor(images, [${shapeOf(metadata)}], '${dtype}') }, names)
names.forEach((name, i) => console.log(name, outputs[i].shape))`,
    },
    {
      language: 'python',
      title: 'Python and C++',
      about: 'TF.js runs in JavaScript alone: export the model as .onnx, .tflite or a SavedModel for them.',
    },
  ]
}

function darknet(name: string, { input: [h, w] }: Metadata): Snippet[] {
  const stem = name.replace(/\.cfg$/, '')
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install opencv-python-headless`',
      text: `
import cv2

network = cv2.dnn.readNetFromDarknet('${name}', '${stem}.weights')
picture = cv2.imread('picture.jpg')
network.setInput(cv2.dnn.blobFromImage(picture, 1 / 255, (${w}, ${h}), swapRB=True))
for name, value in zip(network.getUnconnectedOutLayersNames(), network.forward(network.getUnconnectedOutLayersNames())):
    print(name, value.shape)`,
    },
    {
      language: 'cpp',
      title: 'C++',
      about: 'With OpenCV.',
      text: `
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>

int main() {
  auto network = cv::dnn::readNetFromDarknet("${name}", "${stem}.weights");
  auto picture = cv::imread("picture.jpg");
  network.setInput(cv::dnn::blobFromImage(picture, 1 / 255.0, cv::Size(${w}, ${h}), cv::Scalar(), true));
  std::vector<cv::Mat> outputs;
  network.forward(outputs, network.getUnconnectedOutLayersNames());
  return outputs.empty();
}`,
    },
    {
      language: 'js',
      title: 'JavaScript',
      about:
        'No reader of these files is at hand there: export the model as .onnx or as a graph model of TF.js.',
    },
  ]
}

function checkpoint(name: string): Snippet[] {
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install safetensors numpy`: the weights; the network itself runs in the library.',
      text: `
import json
from safetensors.numpy import load_file

about = json.load(open('${name}'))
for name, value in load_file(about['file']).items():
    print(name, value.shape)`,
    },
    {
      language: 'js',
      title: 'JavaScript',
      about: 'In the folder of the library.',
      text: `
import { Detector, loadCheckpoint, tf } from 'detector-distillation-workbook'

const { network, weights } = loadCheckpoint('${name}')
const detector = new Detector(network, weights)
const { outputs } = detector.forward(tf.zeros([1, ...network.input, 3]), { training: false })
for (const { shape } of outputs) console.log(shape)`,
    },
    { language: 'cpp', title: 'C++', about: 'Export the model as .onnx, .tflite or a SavedModel for it.' },
  ]
}
