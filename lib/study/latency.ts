/** How long a study's models take for a frame: measured by the study itself when nothing else of it runs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Latency, readSealed, sha256, writeSealed } from '../base'
import { deviceInfo } from '../engine'
import { loadCheckpoint } from '../train'
import { FILES, type FrameTimingOptions, measuredSchema, measureLatencies } from '../trial'
import type { Arm } from './arm-tables'
import type { Study } from './study'

/** Of one run: what was measured, and the arms that have each of its models' architecture. */
const studyLatencySchema = measuredSchema.extend({
  format: z.literal('study-latency/1'),
  /** Names of arms, in the order of `models`. */
  arms: z.array(z.array(z.string()).min(1)),
})
/** Milliseconds a frame of every architecture of a study, and which arms have it. */
export type StudyLatency = z.infer<typeof studyLatencySchema>

/** The file in a study's folder. */
const FILE = 'latency.json'

/**
 * Milliseconds a frame of every architecture among the arms, in turns: batch 1, one thread, in the study's precision, on frames of
 * validation. The time of a network depends on its shape, so the first model of each stands for all that share it. Kept
 * in the study's folder, and measured again where it is asked of other models or on another machine.
 *
 * Call it when no trial runs.
 */
export async function studyLatency(
  study: Pick<Study, 'settings' | 'dataset' | 'precision' | 'profile'>,
  arms: readonly Arm[],
  options: Omit<FrameTimingOptions, 'precision' | 'crop'> = {},
): Promise<StudyLatency> {
  const { settings, dataset, precision, profile } = study
  const shapes = new Map<
    string,
    { readonly file: string; readonly weights: string; readonly arms: string[] }
  >()
  for (const { name, runs } of arms) {
    const [run] = runs
    const trial = run?.training ?? Object.values(run?.evaluations ?? {})[0]
    if (!trial) continue
    const file = join(trial.folder, FILES.model)
    const { network, sha256: weights } = loadCheckpoint(file)
    const key = sha256(JSON.stringify(network))
    const known = shapes.get(key)
    if (known) known.arms.push(name)
    else shapes.set(key, { file, weights, arms: [name] })
  }
  const models = [...shapes.values()]
  const file = join(settings.out, FILE)
  const before = kept(file)
  if (
    before &&
    before.machine.name === deviceInfo().name &&
    before.precision === precision &&
    String(before.models.map((model) => model.sha256)) === String(models.map(({ weights }) => weights))
  )
    return { ...before, arms: models.map((model) => model.arms) }
  const measured = await measureLatencies(
    models.map((model) => model.file),
    dataset.splits.validation ?? [],
    { precision, ...(settings.data !== undefined && profile.crop && { crop: profile.crop }), ...options },
  )
  const found: StudyLatency = {
    format: 'study-latency/1',
    ...measured,
    arms: models.map((model) => model.arms),
  }
  writeSealed(file, found)
  return found
}

/** What was measured before; undefined where there is nothing. */
function kept(file: string): StudyLatency | undefined {
  if (!existsSync(file)) return undefined
  return readSealed(file, studyLatencySchema, {
    what: 'measured latencies',
    advice: 'remove it; they are measured again',
  })
}

/** Milliseconds a frame of an arm's models; undefined where none of its architecture was measured. */
export function latencyOfArm(measured: StudyLatency, name: string): Latency | undefined {
  return measured.models[measured.arms.findIndex((arms) => arms.includes(name))]
}
