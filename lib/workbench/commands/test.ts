import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { root } from '../project'

/** `test`: all of test/ with Node's runner, or the given files and folders. */
export function testCommand(): Command {
  return new Command('test')
    .description('run all of test/, or the given test files and folders')
    .argument(
      '[places...]',
      "files and folders; options are those of Node's runner, e.g. --test-name-pattern=loss",
    )
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const options = words.filter((word) => word.startsWith('-'))
      const places = words.filter((word) => !word.startsWith('-'))
      const files = (places.length > 0 ? places : ['test']).flatMap(testFiles)
      const runner = ['--require', 'tsx/cjs', '--test', '--test-concurrency=2', '--test-reporter=spec']
      const child = spawn(process.execPath, [...runner, ...options, ...files], {
        cwd: root,
        stdio: 'inherit',
      })
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
      process.exitCode = await new Promise<number>((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code) => resolve(code ?? 1))
      })
    })
}

function testFiles(place: string): string[] {
  const full = path.resolve(root, place)
  if (!existsSync(full))
    throw new Error(`test: expected a test file or a folder of test/, found nothing at ${full}`)
  if (statSync(full).isFile()) return [full]
  const names = readdirSync(full, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => path.join(full, name))
}
