import type { TrainProgress } from '../train'
import type { TrialProgress, TrialResult } from '../trial'

/** The final state of a trial's bar. */
export function endOf({ metrics: { training, evaluation } }: TrialResult): {
  phase: TrialProgress['phase']
  total: number
  seconds: number
  note: string
} {
  if (!training) {
    const { images, secondsPerImage } = evaluation
    return { phase: 'evaluating', total: images, seconds: images * secondsPerImage, note: '' }
  }
  const { steps, seconds, images, last } = training
  return { phase: 'training', total: steps, seconds, note: describeTraining(images / seconds, last, true) }
}

export function describeProgress(progress: TrainProgress): string {
  const { step, steps, measurements, imagesPerSecond, evaluated, evaluating, labelling } = progress
  if (evaluating) return `evaluating, ${evaluating.done} of ${evaluating.total} images`
  if (labelling) return `labelling, ${labelling.done} of ${labelling.total} images`
  const curve = evaluated ? `, mAP@0.5 ${evaluated.mAP50.toFixed(3)} at ${evaluated.step}` : ''
  return describeTraining(imagesPerSecond, measurements, step === steps) + curve
}

function describeTraining(
  imagesPerSecond: number,
  measurements: Readonly<Record<string, number>>,
  ended: boolean,
): string {
  const speed = imagesPerSecond < 10 ? imagesPerSecond.toPrecision(2) : imagesPerSecond.toFixed(0)
  return `${speed} images/s, ${describeLosses(measurements, ended)}`
}

/** The parts of the loss, with distillation's added up; at the end only the total. */
function describeLosses(measurements: Readonly<Record<string, number>>, ended: boolean): string {
  const { gradientNorm: _, total, ...terms } = measurements
  const parts = Object.entries(terms).filter(([name]) => !name.includes('/'))
  const distillation = Object.entries(terms).filter(([name]) => name.includes('/'))
  if (distillation.length > 0) {
    parts.push(['distillation', distillation.reduce((sum, [, value]) => sum + value, 0)])
  }
  const shown: [string, number][] = total === undefined ? parts : [['loss', total], ...(ended ? [] : parts)]
  return shown.map(([name, value]) => `${name} ${value.toPrecision(3)}`).join(', ')
}
