/** The README that comes with every file: what it is, and how it is run in Python, C++ and JavaScript. */
import { escapeMarkdown } from '../base'
import type { FileFormat, Metadata } from './metadata'
import { code } from './snippets'

/** Markdown. */
export function instructions(name: string, format: FileFormat, metadata: Metadata): string {
  const { classes, input, head, precision, checkpoint, calibration, batch, anchors, strides } = metadata
  const [h, w] = input
  const rows = [
    ['input', inputText(metadata)],
    ['batch', batch === 'any' ? 'any' : String(batch)],
    ['outputs', outputText(metadata)],
    ['numbers', precisionText(metadata)],
    ['classes', classes.map((label, i) => `${i} ${escapeMarkdown(label)}`).join(', ')],
    [
      'anchors',
      strides.map((stride, i) => `${stride}: ${anchors[i]!.map((a) => a.join('x')).join(' ')}`).join('; '),
    ],
    ['checkpoint', `SHA-256 ${checkpoint}`],
    ...(calibration ? [['calibration', `SHA-256 ${calibration}`]] : []),
  ]
  return [
    `# ${escapeMarkdown(name)}`,
    '',
    `A detector for images of ${w}x${h} pixels, as ${TITLES[format]}.`,
    '',
    '| | |',
    '|---|---|',
    ...rows.map(([key, value]) => `| ${key} | ${value} |`),
    '',
    ...(head === 'logits' ? [decoding(metadata), ''] : []),
    ...(precision === 'int8' && metadata.target ? [patternText(metadata.target), ''] : []),
    ...code(name, format, metadata).flatMap(({ language, title, text, about }) => [
      `## ${title}`,
      '',
      ...(about ? [about, ''] : []),
      ...(text ? [`\`\`\`${language}`, text.trim(), '```', ''] : []),
    ]),
  ].join('\n')
}

const TITLES: { readonly [format in FileFormat]: string } = {
  checkpoint:
    'a checkpoint of the library that made it: JSON, and the numbers in a .safetensors file beside it',
  darknet:
    "Darknet's files: the network (.cfg), its numbers (.weights) and the names of the classes (.names)",
  'saved-model': 'a SavedModel of TensorFlow with the signature serving_default',
  onnx: 'an ONNX file, opset 17',
  tflite: 'a TFLite file',
  tfjs: 'a graph model of TF.js',
}

function inputText({ input: [h, w], pixels, layout }: Metadata): string {
  if (pixels === 'uint8') return `\`images\`, uint8 [n, ${h}, ${w}, 3]: red, green, blue as they are, 0..255`
  const shape = layout === 'NCHW' ? `[n, 3, ${h}, ${w}]` : `[n, ${h}, ${w}, 3]`
  return `\`images\`, float32 ${shape}: red, green, blue as 0..1 (bytes / 255)`
}

function outputText({ head, outputs, strides, layout, classes, decode }: Metadata): string {
  if (head === 'logits') {
    const order = layout === 'NCHW' ? '[n, channels, rows, columns]' : '[n, rows, columns, channels]'
    return `${outputs.map((name) => `\`${name}\``).join(', ')}: logits at strides ${strides.join(', ')}, ${order}`
  }
  if (head === 'decoded')
    return `\`boxes\` [n, slots, 4]: x1 y1 x2 y2 in pixels of the input; \`scores\` [n, slots, ${classes.length}]: class probability times objectness. Non-maximum suppression is left to you`
  return `\`boxes\` [n, ${decode.limit}, 4]: x1 y1 x2 y2 in pixels of the input; \`scores\` and \`labels\` [n, ${decode.limit}], by descending score; \`counts\` [n]: how many of them hold`
}

function precisionText({ precision, int8Head, layout }: Metadata): string {
  if (precision === 'float32') return 'float32'
  if (precision === 'float16')
    return layout === 'NCHW' ? 'weights and arithmetic in float16, outputs in float32' : 'weights in float16'
  return `int8, calibrated on frames of training${int8Head ? '' : '; the last convolutions in float32'}`
}

function decoding({ classes, scaleXY, strides, decode }: Metadata): string {
  const isOne = new Set(scaleXY).size === 1
  const scales = isOne ? `${scaleXY[0]}` : `s = ${scaleXY.join(', ')} at strides ${strides.join(', ')}`
  return `Channels of an anchor a: tx ty tw th, objectness, then ${classes.length} classes, from a * ${5 + classes.length} on. A box's centre is
x = (sigmoid(tx) * s - (s - 1) / 2 + column) * stride with ${isOne ? 's = ' : ''}${scales} (y likewise with its row), its width anchor * exp(tw), and its
score for a class sigmoid(objectness) * sigmoid(class). This library keeps an objectness of at least ${decode.objectness} and class probabilities above
${decode.classProbability}, then suppresses boxes of the same class with an IoU above ${decode.iou}.`
}

const patternText = (target: string): string =>
  target === 'onnxruntime'
    ? 'Its pattern of rounding is the one that ONNX Runtime makes integer kernels of; OpenVINO runs it slower than float32.'
    : 'Its pattern of rounding is the one that OpenVINO and TensorRT make integer kernels of; ONNX Runtime runs it slower than float32.'
