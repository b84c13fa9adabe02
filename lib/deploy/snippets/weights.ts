/** Reads files that hold weights: Darknet's, and the library's own. */
import type { Metadata } from '../metadata'
import { cpp, quoted, type Snippet } from './shared'

export function darknet(name: string, { input: [h, w] }: Metadata): Snippet[] {
  const files = [name, name.replace(/\.cfg$/, '.weights')].map(quoted).join(', ')
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install "opencv-python-headless<5"`: OpenCV 5 no longer reads these files.',
      text: `
import cv2

network = cv2.dnn.readNetFromDarknet(${files})
picture = cv2.imread('picture.jpg')
network.setInput(cv2.dnn.blobFromImage(picture, 1 / 255, (${w}, ${h}), swapRB=True))
for name, value in zip(network.getUnconnectedOutLayersNames(), network.forward(network.getUnconnectedOutLayersNames())):
    print(name, value.shape)`,
    },
    cpp(
      'With OpenCV 4; OpenCV 5 no longer reads these files.',
      ['opencv2/dnn.hpp', 'opencv2/imgcodecs.hpp'],
      `
  auto network = cv::dnn::readNetFromDarknet(${files});
  auto picture = cv::imread("picture.jpg");
  network.setInput(cv::dnn::blobFromImage(picture, 1 / 255.0, cv::Size(${w}, ${h}), cv::Scalar(), true));
  std::vector<cv::Mat> outputs;
  network.forward(outputs, network.getUnconnectedOutLayersNames());
  return outputs.empty();`,
    ),
    {
      language: 'js',
      title: 'JavaScript',
      about:
        'No reader of these files is at hand there: export the model as .onnx or as a graph model of TF.js.',
    },
  ]
}

export function checkpoint(name: string): Snippet[] {
  return [
    {
      language: 'python',
      title: 'Python',
      about: '`pip install safetensors numpy`: the weights; the network itself runs in the library.',
      text: `
import json
from safetensors.numpy import load_file

about = json.load(open(${quoted(name)}))
for name, value in load_file(about['file']).items():
    print(name, value.shape)`,
    },
    {
      language: 'js',
      title: 'JavaScript',
      about: 'In the folder of the library.',
      text: `
import { Detector, loadCheckpoint, tf } from 'detector-distillation-workbook'

const { network, weights } = loadCheckpoint(${quoted(name)})
const detector = new Detector(network, weights)
const { outputs } = detector.forward(tf.zeros([1, ...network.input, 3]), { training: false })
for (const { shape } of outputs) console.log(shape)`,
    },
    { language: 'cpp', title: 'C++', about: 'Export the model as .onnx, .tflite or a SavedModel for it.' },
  ]
}
