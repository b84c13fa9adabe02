import { Command } from 'commander'
import { interruptSignal } from '../../base'
import type { TrialProgress } from '../../trial'
import type { ProgressBar } from '../progress'
import { say } from '../say'

/** `trial`: runs one trial in this process, for example as a cluster's job. */
export function trialCommand(): Command {
  return new Command('trial')
    .description('run one trial of a study, or continue it')
    .requiredOption(
      '--config <file>',
      'the trial as JSON: { trial, source, cache, checkpointEvery, logEvery }',
    )
    .requiredOption(
      '--out <folder>',
      "the trial's own folder; its parent holds the trials that it starts from",
    )
    .action(async ({ config, out }: { config: string; out: string }) => {
      const { position, runTask, thinnedOut } = require('../../trial') as typeof import('../../trial')
      const { showProgress } = require('../progress') as typeof import('../progress')
      const bars = new Map<TrialProgress['phase'], ProgressBar>()
      const { folder, metrics } = await runTask(config, out, {
        signal: interruptSignal(),
        onProgress: thinnedOut((event) => {
          const [value, total] = position(event)
          const bar = bars.get(event.phase) ?? showProgress(event.phase, total)
          bars.set(event.phase, bar)
          void bar.update(value)
          if (value === total) bar.done()
        }),
      }).finally(() => {
        for (const bar of bars.values()) bar.done()
      })
      const { voc, coco, split } = metrics.evaluation
      say(`${split} mAP@0.5 ${voc.mAP?.toFixed(4)}, AP@[.5:.95] ${coco.AP?.toFixed(4)}; ${folder}`)
    })
}
