/** Problems that both sides of the benchmark solve: networks with weights, images, targets and options, as one file. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../../lib/base'
import { type Box, renderScene } from '../../lib/data'
import {
  complexity,
  type Darknet21Config,
  darknet21,
  headsOf,
  initialWeights,
  type NetworkSpec,
  networkSchema,
  STUDENT_WIDTHS,
  scaledWidths,
  type Weights,
} from '../../lib/detector'
import { assignTargets, PUBLISHED, TARGET_CHANNELS, type Targets } from '../../lib/losses'
import { loadProfile } from '../../lib/study'
import { decodeSafetensors, encodeSafetensors, loadCheckpoint, type NamedTensor } from '../../lib/train'
import { SHIPPED } from '../../lib/trial'
import type { Answer, ProblemSpec } from './protocol'

/** The step's learning rate: small, so that hundreds of steps on one batch stay finite. */
const RATE = 1e-4

const optionsSchema = z.object({
  teacher: networkSchema,
  student: networkSchema.optional(),
  /** What the outputs of both mean. */
  heads: z.record(z.unknown()),
  loss: z.object({
    box: z.literal('giou'),
    normalise: z.literal('positive'),
    smoothing: z.number(),
    boxWeight: z.number(),
    objectnessWeight: z.number(),
    classWeight: z.number(),
  }),
  sgd: z.object({ momentum: z.number(), weightDecay: z.number(), clip: z.number() }),
  rate: z.number(),
  /** Of masked-class-kd. */
  threshold: z.number(),
  weight: z.number(),
})
export type ProblemOptions = z.infer<typeof optionsSchema>

export interface Problem {
  readonly options: ProblemOptions
  /** The student's are empty if the problem has only the teacher. */
  readonly weights: { readonly teacher: Weights; readonly student: Weights }
  /** 0 .. 255. */
  readonly images: NamedTensor
  readonly targets: Targets
}

interface Network {
  readonly network: NetworkSpec
  readonly weights: Weights
  readonly text: string
}

/** The published teacher and student at a width, untrained. */
function publishedNetworks(
  width: number,
  options: Partial<Darknet21Config>,
): { teacher: Network; student: Network } {
  const fresh = (network: NetworkSpec, name: string): Network => ({
    network,
    weights: initialWeights(network, 1),
    text: `published ${name} at width ${width}, untrained`,
  })
  const { backbone, neck } = scaledWidths(width)
  const scale = (channels: number) => Math.max(4, 4 * Math.round((channels * width) / 4))
  const widths = {
    in: STUDENT_WIDTHS.in.map(scale),
    out: STUDENT_WIDTHS.out.map(scale),
    mid: STUDENT_WIDTHS.mid.map(scale),
  }
  const [teacher, student] = [backbone, widths].map((own) => darknet21(own, { ...options, neck }))
  return { teacher: fresh(teacher!, 'teacher'), student: fresh(student!, 'student') }
}

/** The default profile's teacher and student: the shipped checkpoints, else fresh weights at the published widths. */
function defaultNetworks(): { teacher: Network; student: Network } {
  const { detector, checkpoints } = loadProfile('default')
  const { input, width, anchors, upsample, spp } = detector
  const fresh = () =>
    publishedNetworks(width, { input, upsample, spp, ...(anchors !== 'k-means' && { anchors }) })
  const shipped = (name: string | undefined): Network | undefined => {
    const file = name && join(SHIPPED, `${name}.json`)
    if (!file || !existsSync(file)) return undefined
    const { network, weights } = loadCheckpoint(file)
    return { network, weights, text: `shipped ${name}` }
  }
  return {
    teacher: shipped(checkpoints?.teacher) ?? fresh().teacher,
    student: shipped(checkpoints?.student) ?? fresh().student,
  }
}

/** Writes a problem; images are rendered scenes, with the targets that training would assign. */
export function writeProblem(
  { batch, width, input, student: wantsStudent = false }: ProblemSpec,
  file: string,
): Answer<'problem'> {
  const { recipe, data } = loadProfile('default')
  const networks =
    width === undefined && input === undefined
      ? defaultNetworks()
      : publishedNetworks(width ?? 0.25, { input: input ?? loadProfile('default').detector.input })
  const { teacher } = networks
  const student = wantsStudent ? networks.student : undefined
  const heads = headsOf(teacher.network)
  const [height, columns] = heads.input
  const area = height * columns * 3
  const images = new Float32Array(batch * area)
  const truths: (readonly Box[])[] = []
  for (let index = 0; index < batch; index++) {
    const { pixels, boxes } = scene(index, height, columns, data.difficulty)
    for (let i = 0; i < area; i++) images[index * area + i] = pixels[i]!
    truths.push(boxes)
  }
  const { scales, table } = assignTargets(truths, heads, recipe.assign)
  const tensors = new Map<string, NamedTensor>()
  for (const [weight, tensor] of teacher.weights) tensors.set(`teacher/${weight}`, tensor)
  for (const [weight, tensor] of student?.weights ?? []) tensors.set(`student/${weight}`, tensor)
  tensors.set('images', { shape: [batch, height, columns, 3], values: images })
  tensors.set('table', { shape: [table.length / TARGET_CHANNELS, TARGET_CHANNELS], values: table })
  scales.forEach(({ index, shape }, i) => {
    tensors.set(`index/${i}`, { shape, values: Float32Array.from(index) })
  })
  const { threshold, weight } = PUBLISHED['masked-class-kd']
  const { loss, sgd } = recipe
  const given = { teacher: teacher.network, student: student?.network, heads }
  const options = optionsSchema.parse({ ...given, loss, sgd, rate: RATE, threshold, weight })
  writeAtomically(file, encodeSafetensors(tensors, { problem: JSON.stringify(options) }))
  const about = ({ text, network }: Network) => ({ text, macs: complexity(network).macs })
  return { teacher: about(teacher), student: student && about(student) }
}

/** The top left part of a rendered scene (which has an aspect of 8:3), and its boxes there. */
function scene(index: number, height: number, width: number, difficulty: number) {
  const whole = 8 * Math.ceil(Math.max(width, (8 * height) / 3) / 8)
  const { image, boxes } = renderScene({ seed: 1, stream: 'benchmark', index, width: whole, difficulty })
  const rows = Array.from({ length: height }, (_, y) =>
    image.pixels.subarray(y * whole * 3, (y * whole + width) * 3),
  )
  return {
    pixels: Buffer.concat(rows),
    boxes: boxes
      .map((box): Box => ({ ...box, x2: Math.min(box.x2, width), y2: Math.min(box.y2, height) }))
      .filter(({ x1, y1, x2, y2 }) => x2 - x1 > 2 && y2 - y1 > 2),
  }
}

/** Reads what `writeProblem` wrote. */
export function readProblem(file: string): Problem {
  const { tensors, metadata } = decodeSafetensors(readFileSync(file), file)
  const part = (name: string): Map<string, NamedTensor> => {
    const start = `${name}/`
    const own = [...tensors].filter(([key]) => key.startsWith(start))
    return new Map(own.map(([key, tensor]) => [key.slice(start.length), tensor]))
  }
  const options = optionsSchema.parse(JSON.parse(metadata.problem ?? 'null'))
  const whole = (name: string): NamedTensor => {
    const tensor = tensors.get(name)
    if (!tensor) throw new Error(`${file}: expected a tensor "${name}", found none`)
    return tensor
  }
  return {
    options,
    weights: { teacher: part('teacher'), student: part('student') },
    images: whole('images'),
    targets: { table: whole('table').values, scales: [...part('index').values()].map(indexOf) },
  }
}

function indexOf({ shape, values }: NamedTensor) {
  const [n = 0, h = 0, w = 0, anchors = 0] = shape
  return { shape: [n, h, w, anchors] as const, index: Int32Array.from(values) }
}
