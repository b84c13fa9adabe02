/** Channel widths as data: the published teacher and student, scaling, and the embedded profiles' networks. */
import type { BackboneWidths, DetectorConfig } from './types'

/** darknet21, the teacher of the published run. */
export const TEACHER_WIDTHS: BackboneWidths = {
  in: [32, 64, 128, 256, 512],
  out: [64, 128, 256, 512, 1024],
  mid: [32, 64, 128, 128, 256, 256, 512],
}

/** The published student, as Network Slimming left it. */
export const STUDENT_WIDTHS: BackboneWidths = {
  in: [26, 44, 84, 80, 26],
  out: [44, 84, 80, 26, 52],
  mid: [26, 52, 104, 104, 122, 130, 26],
}

const PUBLISHED_NECK = [512, 256, 128] as const

/** Anchors in pixels of a 512x192 input, strides 32, 16, 8. */
export const PUBLISHED_ANCHORS: DetectorConfig['anchors'] = [
  [
    [24, 18],
    [43, 32],
    [98, 75],
  ],
  [
    [10, 7],
    [17, 9],
    [12, 15],
  ],
  [
    [3, 7],
    [6, 5],
    [5, 11],
  ],
]

/** The published detector: 512x192, 8 classes, deconvolution, SPP. Options replace single entries. */
export function publishedDetector(
  backbone: BackboneWidths = TEACHER_WIDTHS,
  options: Partial<DetectorConfig> = {},
): DetectorConfig {
  return {
    input: [192, 512],
    classes: 8,
    backbone,
    neck: PUBLISHED_NECK,
    upsample: 'deconv',
    spp: true,
    anchors: PUBLISHED_ANCHORS,
    scaleXY: 2,
    ...options,
  }
}

/**
 * The published teacher with every width multiplied, rounded to a multiple of 2.
 *
 * @param multiplier 1 is the published network; 0.25 costs about a sixteenth of its operations
 */
export function scaledDetector(multiplier: number, options: Partial<DetectorConfig> = {}): DetectorConfig {
  const scale = (width: number) => Math.max(2, 2 * Math.round((width * multiplier) / 2))
  const backbone: BackboneWidths = {
    in: TEACHER_WIDTHS.in.map(scale),
    out: TEACHER_WIDTHS.out.map(scale),
    mid: TEACHER_WIDTHS.mid.map(scale),
  }
  const [coarse, middle, fine] = PUBLISHED_NECK
  return publishedDetector(backbone, { neck: [scale(coarse), scale(middle), scale(fine)], ...options })
}
