import { join } from 'node:path'
import { interruptSignal, joinMarkdown, type Markdown, markdown, markdownCode } from '../base'
import {
  checkStudy,
  createStudy,
  isPrepared,
  namedTrials,
  notebookTrials,
  type Study,
  type StudySettings,
} from '../study'
import { findTrial, type TrialConfig, type TrialResult, trialHash } from '../trial'
import { inNotebook, showMarkdown } from './display'
import { type ProgressBar, showProgress } from './progress'
import { fromRoot, root } from './project'
import { runTrials } from './run-trials'
import { type AskedSettings, askedSettings } from './study-settings'

/**
 * Opens the study that the notebooks share: the one `npx workbook run` requested, or the default profile in a notebook
 * opened by hand. Settings given here take precedence.
 */
export async function openStudy(settings: Partial<StudySettings> = {}): Promise<Study> {
  const study = await createShownStudy(askedSettings(settings))
  checkStudy(study)
  if (inNotebook()) showMarkdown(describeStudy(study))
  return study
}

/** The first output of a notebook: what it works on, and what is still to be computed. */
export function describeStudy(study: Study): Markdown {
  const { profile, changes, dataset, settings, runs } = study
  const trials = [...new Map(plannedTrials(study).map((trial) => [trialHash(trial), trial])).values()]
  const left = trials.filter((trial) => !findTrial(runs, trial))
  const steps = left.reduce((sum, trial) => sum + ('training' in trial ? trial.training.steps : 0), 0)
  const changed = changes.map(({ key, to }) => `${key} = ${JSON.stringify(to) ?? 'none'}`)
  const images = Object.entries(dataset.splits).map(([split, samples]) => `${samples.length} ${split}`)
  const { cost } = profile
  const lines = [
    markdown`Profile **${profile.name}**${changed.length > 0 ? ` with ${changed.join(', ')}` : ''}, data **${dataset.name}** (${images.join(', ')}).`,
    left.length === 0
      ? 'All its trials are finished: nothing is left to compute.'
      : `${left.length} of ${trials.length} trials${isPrepared(study) ? '' : ' known so far'} are still to be computed (${steps} training steps), ${study.workers} at a time; each cell runs those it needs.`,
    ...(left.length > 0 && cost !== undefined && changes.length === 0 && settings.data === undefined
      ? [`All chapters together take ${cost}.`]
      : []),
    ...study.notes,
    markdown`Everything is kept in ${markdownCode(fromRoot(settings.out))}.`,
  ]
  return joinMarkdown(lines, '\n')
}

function plannedTrials(study: Study): TrialConfig[] {
  const named = [...study.plan.preparation, ...namedTrials(study).values()]
  return isPrepared(study) ? [...named, ...notebookTrials(study)] : named
}

/** Opens a study with the project's cache; if its scenes are not rendered yet, a bar shows the rendering. */
export async function createShownStudy(settings: AskedSettings): Promise<Study> {
  let bar: ProgressBar | undefined
  try {
    const study = await createStudy({
      ...settings,
      cache: join(root, '.cache'),
      signal: interruptSignal(),
      onData: (done, total) => {
        bar ??= showProgress('rendering the scenes', total)
        void bar.update(done)
      },
    })
    if (!inNotebook()) for (const note of study.notes) console.error(note)
    return study
  } finally {
    bar?.done()
  }
}

/**
 * The teacher and the student that everything starts from, measured on validation. If they are not shipped, the trials
 * that make them run first, each after the one it starts from.
 */
export async function prepareModels(study: Study): Promise<{ teacher: TrialResult; student: TrialResult }> {
  const { preparation, baselines } = study.plan
  await runTrials(study, preparation)
  const [teacher, student] = await runTrials(study, [baselines.teacher, baselines.student])
  return { teacher: teacher!, student: student! }
}
