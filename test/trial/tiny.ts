import type { Dataset } from '../../lib/data'
import { initialWeights } from '../../lib/detector'
import { type TrialConfig, trialSchema } from '../../lib/trial'
import { placeModel, tinyTraining } from '../study/tiny'
import { tinyDetector, tinyWeights } from '../train/tiny'

/** Two teachers and a student of random weights, placed where trials under `runs` look for them. */
export function placeModels(runs: string) {
  const place = (digit: string, seed: number) =>
    placeModel(runs, digit.repeat(64), {
      network: tinyDetector(),
      weights: seed === 1 ? tinyWeights() : initialWeights(tinyDetector(), seed),
    })
  return { start: place('1', 1), teachers: [place('2', 2), place('3', 3)] as const }
}

/** A distillation of these models, with changes to its recipe and its other keys. */
export function tinyDistillation(
  runs: string,
  dataset: Dataset,
  steps: number,
  { recipe, ...rest }: { readonly recipe?: object; readonly [key: string]: unknown },
): Extract<TrialConfig, { kind: 'distill' }> {
  const { start, teachers } = placeModels(runs)
  const training = tinyTraining(steps)
  const config = trialSchema.parse({
    kind: 'distill',
    data: { hash: dataset.hash },
    start,
    teacher: teachers[0],
    terms: [],
    training: { ...training, recipe: { ...training.recipe, ...recipe } },
    ...rest,
  })
  if (config.kind !== 'distill') throw new Error(`expected a distillation, found ${config.kind}`)
  return config
}
