/** A whole study in small, as a process that can be killed: `node --require <loader> study.ts <folder>`. */
import { join } from 'node:path'
import { writeAtomically } from '../../lib/base'
import { buildReport, collectSweep, writeReport } from '../../lib/report'
import {
  createStudy,
  loadProfile,
  type Study,
  sweepPreparation,
  sweepSchema,
  sweepTrials,
} from '../../lib/study'
import { trialFolder } from '../../lib/trial'

/** Two arms that write every kind of file: pseudo-labels, evaluations on the way, averages, checkpoints at every step. */
const sweep = sweepSchema.parse({
  name: 'killed',
  question: 'Does a study that is killed end with the same numbers?',
  profile: 'tiny',
  seeds: [1],
  split: 'test',
  references: ['control'],
  recipe: { validation: { every: 2, keep: 'best' }, average: { decay: 0.9 } },
  arms: [
    { name: 'control', start: 'pruned', steps: 4, rate: 0.01 },
    {
      name: 'distilled',
      start: 'pruned',
      steps: 4,
      rate: 0.01,
      labels: { images: 8 },
      unlabelled: { batch: 4, source: 'train' },
      pseudo: { threshold: 0.01, renew: 2 },
      terms: [{ method: 'objectness-mse', weight: { ratio: 0.3 } }],
    },
  ],
})

/** The study in a folder: its profile, scenes and trials. */
async function openStudy(folder: string): Promise<Study> {
  const smoke = loadProfile('smoke')
  const { teacher, sparse } = smoke.stages
  const profile = {
    ...smoke,
    name: 'tiny',
    data: { ...smoke.data, splits: { train: 16, validation: 6, test: 6 } },
    recipe: { ...smoke.recipe, batch: 4 },
    stages: {
      ...smoke.stages,
      teacher: { ...teacher, steps: 6 },
      sparse: { ...sparse, steps: 3 },
      finetune: { ...smoke.stages.finetune, steps: 3 },
    },
    workers: 2,
    checkpointEvery: 1,
    logEvery: 1,
  }
  const file = join(folder, 'tiny.yaml')
  writeAtomically(file, JSON.stringify(profile))
  return createStudy({ profile: file, out: join(folder, 'out'), cache: join(folder, 'cache') })
}

async function main(folder: string): Promise<void> {
  console.log('rendering')
  const study = await openStudy(folder)
  const onProgress: Parameters<Study['run']>[1] = {
    onProgress: (trial, event) => {
      const step =
        event.state === 'running' && event.progress.phase === 'training' ? event.progress.progress.step : ''
      console.log(`${trialFolder(trial)} ${event.state} ${step}`)
    },
  }
  await study.run(sweepPreparation(sweep, study), onProgress)
  const { training, measuring } = sweepTrials(sweep, study)
  await study.run([...training, ...measuring], onProgress)
  console.log('the report')
  writeReport(join(folder, 'report'), buildReport(collectSweep(sweep, study)))
}

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('study.ts: expected a folder, found none')
main(folder).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
