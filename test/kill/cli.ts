/** The command line of the kill test, which `npx workbook kill` starts. */
import { rmSync } from 'node:fs'
import { Command } from 'commander'
import { temporaryFolder } from '../../lib/base'
import { startProgram } from '../../lib/workbench/program'
import { wholeNumber } from '../../lib/workbench/whole-number'
import { killStudies } from './kill'

const program = new Command('npx workbook kill')
  .description(
    'Kill small studies (SIGKILL to all their processes) at random moments, start each again until it ends, and compare every ' +
      'number with those of a study that nobody has killed.',
  )
  .option('--times <n>', 'kills in all', wholeNumber, 30)
  .option('--seed <n>', 'of the moments', wholeNumber, 1)
  .action(async ({ times, seed }: { times: number; seed: number }) => {
    const folder = temporaryFolder('kill')
    try {
      const { kills, studies, seconds, trials } = await killStudies({
        times,
        seed,
        folder,
        onKill: (kill) =>
          console.log(`${kill.number}: killed after ${kill.seconds.toFixed(1)} s, at "${kill.last}"`),
      })
      console.log(
        `${kills} kills in ${studies} studies of ${trials} trials (${seconds.toFixed(0)} s undisturbed): each ended with the ` +
          'same numbers, and left nothing half-done.',
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

startProgram(program)
