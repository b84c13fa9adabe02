/** `npm run supply`: what the project takes from others, checked from the lock files; see DEPENDENCIES.md. */
import { Command } from 'commander'
import { startProgram } from '../../lib/workbench/program'
import {
  audit,
  describedDependencies,
  namedDependencies,
  otherLicences,
  unpinnedPython,
  unsealedPackages,
} from './supply'

const program = new Command('npx workbook supply')
  .description(
    'Check pins, hashes, licences and reasons of the dependencies, and ask for known vulnerabilities.',
  )
  .action(() => {
    const described = new Set(describedDependencies().map(({ name, version }) => `${name} ${version}`))
    const named = namedDependencies()
    const checks: [what: string, faults: readonly string[]][] = [
      ['npm packages without a hash', unsealedPackages()],
      ['npm packages under a licence that is not allowed', otherLicences()],
      ['Python packages without an exact version', unpinnedPython()],
      ['dependencies that DEPENDENCIES.md does not explain', named.filter((line) => !described.has(line))],
      [
        'rows of DEPENDENCIES.md without a dependency',
        [...described].filter((line) => !named.includes(line)),
      ],
    ]
    for (const [what, faults] of checks) {
      console.log(`${what}: ${faults.length === 0 ? 'none' : faults.length}`)
      for (const fault of faults) console.log(`  ${fault}`)
    }
    const found = audit()
    if (!found.answered)
      console.log(`known vulnerabilities: not looked up, npm audit has no answer here (${found.reason})`)
    else
      console.log(
        `known vulnerabilities of npm packages: ${found.total}, high or critical ${found.serious.length}`,
      )
    if (found.answered) for (const line of found.serious) console.log(`  ${line}`)
    console.log('known vulnerabilities of Python packages: not looked up, pip has no command for it')
    if (checks.some(([, faults]) => faults.length > 0) || (found.answered && found.serious.length > 0))
      process.exitCode = 1
  })

startProgram(program)
