/** A process that runs trials one after another, as its study sends them (see worker.ts). */
import { interruptSignal, isInterrupt } from '../base'
import { thinnedOut } from './progress'
import { runTask } from './task'
import { NO_MORE, type TrialOrder, type TrialReport } from './worker'

async function runOrders(): Promise<void> {
  const signal = interruptSignal()
  // A killed study receives no messages; on 'disconnect' the trial still writes its checkpoint.
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
}

runOrders().catch((error: unknown) => {
  // The study shows the last output of the process.
  console.error(error instanceof Error ? error.message : error)
  process.exit(isInterrupt(error) ? 130 : 1)
})
