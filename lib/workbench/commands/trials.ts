import { Command } from 'commander'
import { NO_MORE, runTask, type TrialOrder, type TrialReport } from '../../study'
import { interruptSignal } from '../interrupt'
import { thinnedOut } from './trial'

/** `trials`: trials in this process, one after another, as the study that has started it sends them. */
export function trialsCommand(): Command {
  return new Command('trials')
    .description('run trials for the study that has started this process, which sends them')
    .action(async () => {
      if (!process.send) {
        throw new Error(
          'expected to be started by a study, found none; one trial is run by: trial --config <file> --out <folder>',
        )
      }
      const signal = interruptSignal()
      // A study that was killed takes no message; the trial then still writes its checkpoint, on 'disconnect'.
      const report = (message: TrialReport): void => void process.send?.(message, () => undefined)
      await new Promise<void>((resolve, reject) => {
        let atWork = false
        process.on('message', (message: TrialOrder | typeof NO_MORE) => {
          if (message === NO_MORE) return resolve()
          const { file, folder } = message
          atWork = true
          const onProgress = thinnedOut((progress) => report({ state: 'running', progress }))
          runTask(file, folder, { signal, onProgress })
            .then(() => report({ state: 'finished' }))
            .catch(reject)
            .finally(() => {
              atWork = false
            })
        })
        // Without the study nobody would stop a trial.
        process.once('disconnect', () => (atWork ? process.kill(process.pid, 'SIGTERM') : resolve()))
        signal.addEventListener('abort', () => atWork || resolve(), { once: true })
      })
      if (process.connected) process.disconnect()
    })
}
