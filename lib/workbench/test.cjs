/** `npm test`: all of test/ with Node's runner, or the files and folders that are named. Options go to the runner. */
'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '../..')

function testFiles(place) {
  const full = path.resolve(root, place)
  if (!fs.existsSync(full)) {
    console.error(`npm test: expected a test file or a folder of test/, found nothing at ${full}`)
    process.exit(1)
  }
  if (fs.statSync(full).isFile()) return [full]
  const names = fs.readdirSync(full, { recursive: true }).filter((name) => name.endsWith('.test.ts'))
  return names.sort().map((name) => path.join(full, name))
}

const args = process.argv.slice(2)
const options = args.filter((argument) => argument.startsWith('-'))
const places = args.filter((argument) => !argument.startsWith('-'))
const files = (places.length > 0 ? places : ['test']).flatMap(testFiles)

const runner = ['--require', 'tsx/cjs', '--test', '--test-concurrency=2', '--test-reporter=spec', ...options]
const child = spawn(process.execPath, [...runner, ...files], { cwd: root, stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.once('exit', (code) => process.exit(code ?? 1))
