import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../../lib/workbench/project'

/** A process that prints `working`, and `stopping` when interrupted; then it ends, unless `rest` is set. */
async function working(rest: string): Promise<{ child: ChildProcess; said: () => string }> {
  const program = `
    const { interruptSignal } = require(${JSON.stringify(path.join(root, 'lib/base/interrupt'))})
    const work = setInterval(() => {}, 1000)
    interruptSignal().addEventListener('abort', () => {
      console.log('stopping')
      ${rest}
    })
    console.log('working')`
  const child = spawn(process.execPath, ['--require', 'tsx/cjs', '-e', program], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await once(child.stdout, 'data')
  return { child, said: () => text }
}

test('a signal that arrives twice at once leaves the work time to stop', async () => {
  const { child, said } = await working('setTimeout(() => clearInterval(work), 100)')
  child.kill('SIGTERM')
  await once(child.stdout!, 'data')
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'close')
  assert.deepEqual([code, signal], [0, null])
  assert.equal(said(), 'working\nstopping\n')
})

test('a later one ends the process in the usual way', async () => {
  const { child, said } = await working('')
  const again = setInterval(() => child.kill('SIGINT'), 100)
  const [code, signal] = await once(child, 'close')
  clearInterval(again)
  assert.deepEqual([code, signal], [null, 'SIGINT'])
  assert.equal(said(), 'working\nstopping\n')
})
