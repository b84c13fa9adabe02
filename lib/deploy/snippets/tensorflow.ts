/** Runs a SavedModel in TensorFlow, and a graph model in TF.js. */
import type { Metadata } from '../metadata'
import { cpp, javascript, names, python, quoted, type Snippet, shapeOf, sizeOf } from './shared'

export function savedModel(name: string, metadata: Metadata): Snippet[] {
  const isBytes = metadata.pixels === 'uint8'
  return [
    python(metadata, {
      packages: 'tensorflow pillow',
      imports: 'import tensorflow as tf',
      run: `model = tf.saved_model.load(${quoted(name)})
outputs = {name: value.numpy() for name, value in model.signatures['serving_default'](images=tf.constant(images)).items()}`,
    }),
    cpp(
      "With TensorFlow's C library (tensorflow/c/c_api.h).",
      ['tensorflow/c/c_api.h'],
      `
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), nullptr, ${quoted(name)}, tags, 1, graph, nullptr, status);
  const int64_t shape[] = {${shapeOf(metadata)}};
  const size_t bytes = ${sizeOf(metadata)}${isBytes ? '' : ' * sizeof(float)'};
  TF_Tensor *images = TF_AllocateTensor(${isBytes ? 'TF_UINT8' : 'TF_FLOAT'}, shape, 4, bytes);  // fill TF_TensorData(images) as said above
  TF_Output input = {TF_GraphOperationByName(graph, "images"), 0};
  TF_Output output = {TF_GraphOperationByName(graph, "${metadata.outputs[0]}"), 0};
  TF_Tensor *first = nullptr;
  TF_SessionRun(session, nullptr, &input, &images, 1, &output, &first, 1, nullptr, 0, nullptr, status);
  return TF_GetCode(status);`,
    ),
    javascript(metadata, {
      about: '`npm install @tensorflow/tfjs-node sharp`',
      imports: "import tf from '@tensorflow/tfjs-node'",
      run: `
const model = await tf.node.loadSavedModel(${quoted(name)})
const outputs = model.predict({ images: tf.tensor(images, [${shapeOf(metadata)}], '${dtypeOf(metadata)}') })
for (const [name, { shape }] of Object.entries(outputs)) console.log(name, shape)`,
    }),
  ]
}

export function tfjs(name: string, metadata: Metadata): Snippet[] {
  return [
    javascript(metadata, {
      about:
        '`npm install @tensorflow/tfjs-converter @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm sharp`; in a browser ' +
        "`loadGraphModel` takes the address of model.json, and the backends 'webgpu' and 'webgl' are faster.",
      imports: `import { readFileSync } from 'node:fs'
import '@tensorflow/tfjs-backend-wasm'
import { loadGraphModelSync } from '@tensorflow/tfjs-converter'
import { setBackend, tensor } from '@tensorflow/tfjs-core'`,
      run: `
await setBackend('wasm')
const { modelTopology, signature, weightsManifest, format } = JSON.parse(readFileSync(${quoted(`${name}/model.json`)}, 'utf8'))
const model = loadGraphModelSync({
  load: () => ({
    modelTopology, signature, format,
    weightSpecs: weightsManifest[0].weights,
    weightData: new Uint8Array(readFileSync(${quoted(`${name}/weights.bin`)})).buffer,
  }),
})
const names = [${names(metadata)}]
const outputs = [model.execute({ images: tensor(images, [${shapeOf(metadata)}], '${dtypeOf(metadata)}') }, names)].flat()
names.forEach((name, i) => console.log(name, outputs[i].shape))`,
    }),
    {
      language: 'python',
      title: 'Python and C++',
      about: 'TF.js runs in JavaScript alone: export the model as .onnx, .tflite or a SavedModel for them.',
    },
  ]
}

const dtypeOf = ({ pixels }: Metadata): string => (pixels === 'uint8' ? 'int32' : 'float32')
