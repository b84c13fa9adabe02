import path from 'node:path'
import { Command } from 'commander'
import { readJson } from '../../data'
import { lockFolder, openSource, runTrial, type TrialProgress, taskSchema } from '../../study'
import { interruptSignal } from '../interrupt'
import { showProgress } from '../progress'

/** Messages to the process that asked for the trial are thinned out to this. */
const REPORT_MS = 200

/** `trial`: one trial in this process; what a study starts side by side, and a cluster's job. */
export function trialCommand(): Command {
  return new Command('trial')
    .description('run one trial of a study, or go on with it')
    .requiredOption(
      '--config <file>',
      'the trial as JSON: { trial, source, cache, checkpointEvery, logEvery, teacherCache? }',
    )
    .requiredOption(
      '--out <folder>',
      "the trial's own folder; its parent holds the trials that it starts from",
    )
    .action(async ({ config, out }: { config: string; out: string }) => {
      const parsed = taskSchema.safeParse(readJson(config))
      if (!parsed.success) {
        const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`)
        throw new Error(`${config}: not a trial:\n${problems.join('\n')}`)
      }
      const { trial, source, cache, checkpointEvery, logEvery, teacherCache } = parsed.data
      const folder = path.resolve(out)
      const signal = interruptSignal()
      // Without the process that asked for the trial nobody would stop it.
      const orphaned = () => process.kill(process.pid, 'SIGTERM')
      process.once('disconnect', orphaned)
      let release: (() => void) | undefined
      try {
        release = await lockFolder(folder, { signal })
        const dataset = await openSource(source, cache, { signal })
        const onProgress = process.send ? reportToParent() : showOnTerminal()
        const runs = path.dirname(folder)
        const { metrics } = await runTrial(trial, {
          folder,
          runs,
          dataset,
          frames: path.join(cache, 'frames'),
          checkpointEvery,
          logEvery,
          teacherCache: teacherCache && {
            folder: path.join(cache, 'teacher'),
            limit: teacherCache.gigabytes * 1e9,
          },
          signal,
          onProgress,
        })
        const { voc, coco, split } = metrics.evaluation
        console.log(`${split} mAP@0.5 ${voc.mAP?.toFixed(4)}, AP@[.5:.95] ${coco.AP?.toFixed(4)}; ${folder}`)
      } finally {
        release?.()
        process.off('disconnect', orphaned)
        process.disconnect?.()
      }
    })
}

function position(event: TrialProgress): [value: number, total: number] {
  return event.phase === 'training' ? [event.progress.step, event.progress.steps] : [event.done, event.total]
}

function reportToParent(): (progress: TrialProgress) => void {
  let last = 0
  return (progress) => {
    const [value, total] = position(progress)
    if (value < total && performance.now() - last < REPORT_MS) return
    last = performance.now()
    if (process.connected) process.send?.(progress)
  }
}

function showOnTerminal(): (progress: TrialProgress) => void {
  const bars = new Map<string, ReturnType<typeof showProgress>>()
  return (event) => {
    const [value, total] = position(event)
    const bar = bars.get(event.phase) ?? showProgress(event.phase, total)
    bars.set(event.phase, bar)
    void bar.update(value)
    if (value === total) bar.done()
  }
}
