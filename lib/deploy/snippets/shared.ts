/** What the code of several formats has in common. */
import type { Metadata } from '../metadata'

export interface Snippet {
  readonly language: 'python' | 'cpp' | 'js'
  readonly title: string
  /** What it needs, in a sentence. */
  readonly about?: string
  readonly text?: string
}

/** A text in quotes, the same in all three languages. */
export const quoted = (text: string): string => JSON.stringify(text)

/** Reads a picture with Pillow, runs the file, and prints what is in `outputs`. */
export function python(
  metadata: Metadata,
  given: { readonly packages: string; readonly imports: string; readonly run: string },
): Snippet {
  const { packages, imports, run } = given
  return {
    ...{ language: 'python', title: 'Python', about: `\`pip install ${packages}\`` },
    text: `
import numpy as np
${imports}
from PIL import Image

${pythonImages(metadata)}
${run}
for name, value in outputs.items():
    print(name, value.shape, float(value.min()), float(value.max()))`,
  }
}

/** A program whose exit code is 0 where `body` has come to its outputs. */
export function cpp(about: string, includes: readonly string[], body: string): Snippet {
  const lines = includes.map((name) => `#include <${name}>`).join('\n')
  return {
    ...{ language: 'cpp', title: 'C++', about },
    text: `
${lines}

int main() {
${body.replace(/^\n/, '')}
}`,
  }
}

/** Reads a picture with sharp, and runs the file. */
export function javascript(
  metadata: Metadata,
  given: { readonly about: string; readonly imports: string; readonly run: string },
): Snippet {
  const { about, imports, run } = given
  return {
    ...{ language: 'js', title: 'JavaScript', about },
    text: `
${imports}
import sharp from 'sharp'

${jsPixels(metadata)}
${jsImages(metadata)}
${run.trim()}`,
  }
}

/** Reads a picture as `images`, with Pillow, as the file takes it. */
function pythonImages({ input: [h, w], pixels, layout, batch }: Metadata): string {
  const scaled = pixels === 'uint8' ? 'np.uint8' : 'np.float32'
  const lines = [
    `picture = Image.open('picture.jpg').convert('RGB').resize((${w}, ${h}), Image.BILINEAR)`,
    `images = np.asarray(picture, ${scaled})[None]${pixels === 'uint8' ? '' : ' / 255'}`,
  ]
  if (isChannelsFirst({ layout, pixels }))
    lines.push('images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))')
  if (pixels !== 'uint8') lines.push('images = images.astype(np.float32)')
  if (imagesOf({ batch }) > 1) lines.push(`images = np.repeat(images, ${batch}, 0)`)
  return lines.join('\n')
}

/** Reads a picture with sharp; [n, h, w, 3] of bytes. */
function jsPixels(metadata: Metadata): string {
  const [h, w] = metadata.input
  const n = imagesOf(metadata)
  const picture = `await sharp('picture.jpg').toColourspace('srgb').removeAlpha().resize(${w}, ${h}, { fit: 'fill' }).raw().toBuffer()`
  return n === 1
    ? `const pixels = ${picture}`
    : `const picture = ${picture}
const pixels = Buffer.concat(Array(${n}).fill(picture))`
}

/** `images` as a typed array in the file's order. */
function jsImages({ input: [h, w], pixels, layout }: Metadata): string {
  if (pixels === 'uint8') return 'const images = Uint8Array.from(pixels)'
  if (layout === 'NHWC') return 'const images = Float32Array.from(pixels, (value) => value / 255)'
  return `const images = new Float32Array(pixels.length)
pixels.forEach((value, i) => {
  const [image, at] = [Math.floor(i / ${3 * h * w}), i % ${3 * h * w}]
  images[image * ${3 * h * w} + (at % 3) * ${h * w} + Math.floor(at / 3)] = value / 255
})`
}

/** Images of a call: one, where any number is taken. */
export const imagesOf = ({ batch }: Pick<Metadata, 'batch'>): number => (batch === 'any' ? 1 : batch)
/** Numbers of a call's images. */
export const sizeOf = (metadata: Metadata): number =>
  imagesOf(metadata) * metadata.input[0] * metadata.input[1] * 3

/** Bytes are [n, h, w, 3] in every format. */
const isChannelsFirst = ({ layout, pixels }: Pick<Metadata, 'layout' | 'pixels'>) =>
  layout === 'NCHW' && pixels === 'float'
export const shapeOf = (metadata: Metadata) => {
  const [h, w] = metadata.input
  const n = imagesOf(metadata)
  return isChannelsFirst(metadata) ? `${n}, 3, ${h}, ${w}` : `${n}, ${h}, ${w}, 3`
}
export const names = ({ outputs }: Metadata) => outputs.map((name) => `"${name}"`).join(', ')
export const cppType = ({ pixels }: Metadata) => (pixels === 'uint8' ? 'uint8_t' : 'float')
