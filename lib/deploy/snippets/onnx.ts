/** Runs an .onnx file: in ONNX Runtime, or in OpenVINO where its rounding is made for that. */
import type { Metadata } from '../metadata'
import { cpp, cppType, javascript, names, python, quoted, type Snippet, shapeOf, sizeOf } from './shared'

export function onnx(name: string, metadata: Metadata): Snippet[] {
  return metadata.target === 'openvino' ? inOpenvino(name, metadata) : inOnnxRuntime(name, metadata)
}

function inOnnxRuntime(name: string, metadata: Metadata): Snippet[] {
  const type = cppType(metadata)
  const jsType = metadata.pixels === 'uint8' ? 'uint8' : 'float32'
  return [
    python(metadata, {
      packages: 'onnxruntime numpy pillow',
      imports: 'import onnxruntime',
      run: `session = onnxruntime.InferenceSession(${quoted(name)})
outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {'images': images})))`,
    }),
    cpp(
      'With the header and library of ONNX Runtime; `images` is filled from your picture as said above.',
      ['onnxruntime_cxx_api.h', 'vector'],
      `
  Ort::Env env;
  Ort::Session session(env, ${quoted(name)}, Ort::SessionOptions{});
  std::vector<${type}> images(${sizeOf(metadata)});
  std::vector<int64_t> shape{${shapeOf(metadata)}};
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  auto input = Ort::Value::CreateTensor<${type}>(memory, images.data(), images.size(), shape.data(), shape.size());
  const char *inputs[] = {"images"};
  const char *names[] = {${names(metadata)}};
  auto outputs = session.Run(Ort::RunOptions{}, inputs, &input, 1, names, ${metadata.outputs.length});
  const float *first = outputs[0].GetTensorData<float>();
  return first == nullptr;`,
    ),
    javascript(metadata, {
      about: '`npm install onnxruntime-web sharp`; in a browser the pixels come from a canvas.',
      imports: "import ort from 'onnxruntime-web'",
      run: `
const session = await ort.InferenceSession.create(${quoted(name)})
const outputs = await session.run({ images: new ort.Tensor('${jsType}', images, [${shapeOf(metadata)}]) })
for (const [name, { dims }] of Object.entries(outputs)) console.log(name, dims)`,
    }),
  ]
}

function inOpenvino(name: string, metadata: Metadata): Snippet[] {
  const type = cppType(metadata)
  return [
    python(metadata, {
      packages: 'openvino numpy pillow',
      imports: 'import openvino',
      run: `model = openvino.Core().compile_model(${quoted(name)}, 'CPU')
result = model({'images': images})
outputs = {output.any_name: result[output] for output in model.outputs}`,
    }),
    cpp(
      'With the headers and library of OpenVINO; `images` is filled from your picture as said above.',
      ['openvino/openvino.hpp'],
      `
  ov::Core core;
  auto request = core.compile_model(${quoted(name)}, "CPU").create_infer_request();
  ov::Tensor images(ov::element::from<${type}>(), {${shapeOf(metadata)}});
  std::fill_n(images.data<${type}>(), images.get_size(), ${type}(0));
  request.set_tensor("images", images);
  request.infer();
  const float *first = request.get_tensor("${metadata.outputs[0]}").data<float>();
  return first == nullptr;`,
    ),
    {
      language: 'js',
      title: 'JavaScript',
      about:
        'OpenVINO is meant for Python and C++ here: export the model without `--for openvino`, or as a graph model of TF.js.',
    },
  ]
}
