import assert from 'node:assert/strict'
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { root } from '../../lib/workbench/project'
import { KernelClient, type Reply } from './kernel-client'

const modules = path.join(root, `.cache/kernel-test-${process.pid}`)
const from = (name: string): string => `'./.cache/${path.basename(modules)}/${name}'`
const notebookDir = path.join(root, 'test/workbench/fixtures')
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

const files: Record<string, string> = {
  'one.ts':
    "import { two } from './two'\nexport const one = 1\nexport const sum = (): number => one + two()\n",
  'two.ts': "import { one } from './one'\nexport const two = (): number => one + 1\n",
  'folder/index.ts': "export { name } from './dotted.name'\n",
  'folder/dotted.name.ts': "export const name = 'dotted'\n",
  'outer.ts': "export { value } from './inner'\n",
  'inner.ts': 'export const value = 10\n',
  'wrong.ts': "export const wrong: number = 'text'\n",
  'thrower.ts': "\n\nexport function fail(): never {\n  throw new RangeError('no such layer')\n}\n",
}

function write(name: string, text: string): void {
  const file = path.join(modules, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, text)
}

interface KernelError {
  ename: string
  evalue: string
  traceback: string[]
}

/** The single error message of a failed cell. */
function errorOf(reply: Reply): KernelError {
  assert.equal(reply.status, 'error')
  const errors = reply.messages.filter(({ type }) => type === 'error')
  assert.equal(errors.length, 1)
  return errors[0]?.content
}

function resultOf(reply: Reply): string {
  assert.equal(reply.status, 'ok', JSON.stringify(reply.messages))
  const results = reply.messages.filter(({ type }) => type === 'execute_result')
  assert.equal(results.length, 1)
  return results[0]?.content.data['text/plain']
}

/** Milliseconds after a cell's beginning by which it is compiled and runs, on a busy machine too: till then no signal stops it. */
const COMPILED = 2000

describe('notebook kernel', () => {
  let kernel: KernelClient
  const value = async (code: string): Promise<string> => resultOf(await kernel.execute(code))
  const error = async (code: string): Promise<KernelError> => errorOf(await kernel.execute(code))

  before(async () => {
    for (const [name, text] of Object.entries(files)) write(name, text)
    kernel = await KernelClient.start(notebookDir)
  })
  after(async () => {
    assert.equal(await kernel.stop(), 0)
    rmSync(modules, { recursive: true, force: true })
  })

  it('runs in the project root and knows the notebook folder', async () => {
    assert.equal(await value('process.cwd()'), root)
    assert.equal(await value("process.env.NOTEBOOK_DIR ?? ''"), notebookDir)
  })

  it('compiles cells by tsconfig.json and names the place of an error as it was typed', async () => {
    assert.match((await error('const text: string = null')).evalue, /^1:7 - Type 'null' is not assignable/)
    assert.match((await error('[1][0].toFixed()')).evalue, /possibly 'undefined'/)
    await kernel.execute('const x = 3')
    const { ename, evalue } = await error('const o = { x }; const z: string = x')
    assert.equal(ename, 'TypeScript')
    assert.match(evalue, /^1:24 - Type 'number' is not assignable/)
  })

  it('expands { x } of an earlier cell', async () => {
    await kernel.execute('const early = 5; let other = 0')
    assert.equal(await value('({ early })'), '{ early: 5 }')
    assert.equal(await value(';({ other } = { other: 7 }); other'), '7')
  })

  it('takes renamed properties of an earlier cell’s variable', async () => {
    await kernel.execute('const pair = { left: 1, right: { deep: 2 } }')
    assert.equal(await value('const { left: l, right: { deep: r } } = pair; l + 10 * r'), '21')
  })

  it('takes await before a parenthesis', async () => {
    assert.equal(await value('const w = await (Promise.resolve(4)); w'), '4')
  })

  it('loads modules as Node does: circular, folder index, dotted names', async () => {
    assert.equal(await value(`import { sum } from ${from('one')}; sum()`), '3')
    assert.equal(await value(`import { name } from ${from('folder')}; name`), 'dotted')
  })

  it('reports a type error of an imported module', async () => {
    const { evalue } = await error(`import { wrong } from ${from('wrong')}; wrong`)
    assert.match(evalue, /wrong\.ts 1:14 - Type 'string' is not assignable/)
  })

  it('checks the types of an edited file of lib', async () => {
    const edited = path.join(root, `lib/workbench/kernel-test-${process.pid}.ts`)
    writeFileSync(edited, "export const count: number = 'three'\n")
    try {
      const { evalue } = await error(
        `import { count } from './lib/workbench/kernel-test-${process.pid}'; count`,
      )
      assert.match(evalue, /kernel-test-\d+\.ts 1:14 - Type 'string' is not assignable/)
    } finally {
      rmSync(edited)
    }
  })

  it('loads an edited module again, also behind another one', async () => {
    const cell = `import { value } from ${from('outer')}; value`
    assert.equal(await value(cell), '10')
    write('inner.ts', 'export const value = 20\n')
    utimesSync(path.join(modules, 'inner.ts'), new Date(), new Date(Date.now() + 5000))
    assert.equal(await value(cell), '20')
    write('inner.ts', "export const value: number = 'text'\n")
    utimesSync(path.join(modules, 'inner.ts'), new Date(), new Date(Date.now() + 9000))
    assert.match((await error(cell)).evalue, /inner\.ts 1:14/)
  })

  it('sends the input with its number, and errors with place and message', async () => {
    const first = await kernel.execute('1 + 1')
    const second = await kernel.execute(`import { fail } from ${from('thrower')}; fail()`)
    assert.equal(second.count, first.count + 1)
    const input = first.messages.find(({ type }) => type === 'execute_input')
    assert.deepEqual(input?.content, { code: '1 + 1', execution_count: first.count })
    const { ename, evalue, traceback } = errorOf(second)
    assert.equal(ename, 'RangeError')
    assert.equal(evalue, 'no such layer')
    assert.match(traceback.join('\n'), /thrower\.ts:4:9/)
    assert.doesNotMatch(traceback.join('\n'), /node_modules|node:|kernel\.cjs/)
  })

  it('loses no output and keeps its order', async () => {
    const reply = await kernel.execute(
      'for (let i = 0; i < 20000; i++) (i % 1000 ? console.log : console.error)(i)',
    )
    assert.equal(reply.status, 'ok')
    const expected = Array.from({ length: 20000 }, (_, i) => `${i}\n`).join('')
    assert.equal(reply.text, expected)
  })

  it('loses no display of many at once', async () => {
    const reply = await kernel.execute(`
      import { showMarkdown } from './lib/workbench'
      for (let i = 0; i < 5000; i++) showMarkdown(String(i))`)
    assert.equal(reply.status, 'ok')
    const shown = reply.messages.filter(({ type }) => type === 'display_data')
    assert.deepEqual(
      shown.map(({ content }) => content.data['text/markdown']),
      Array.from({ length: 5000 }, (_, i) => String(i)),
    )
  })

  it('shows what has columns and values as a table', async () => {
    const reply = await kernel.execute("({ columns: ['a'], values: [[0.123456]] })")
    assert.match(resultOf(reply), /0\.1235/)
    const result = reply.messages.find(({ type }) => type === 'execute_result')
    assert.match(result?.content.data['text/html'], /<table>.*<th>a<\/th>/)
  })

  it('takes edited and new files of lib together', async () => {
    const created = path.join(root, `lib/workbench/kernel-test-${process.pid}.json`)
    const cell = `import { one } from ${from('one')}; import { summary } from './lib/detector'; one`
    assert.equal(await value(cell), '1')
    try {
      writeFileSync(created, '{}')
      utimesSync(path.join(modules, 'one.ts'), new Date(), new Date(Date.now() + 5000))
      assert.equal(await value(cell), '1')
    } finally {
      rmSync(created)
    }
  })

  it('draws a progress bar in place', async () => {
    const reply = await kernel.execute(`
      import { showProgress } from './lib/workbench'
      const bar = showProgress('work', 3)
      for (let i = 1; i <= 3; i++) { await new Promise((done) => setTimeout(done, 110)); await bar.update(i) }
      bar.done()`)
    const displays = reply.messages.filter(({ type }) => type === 'display_data')
    const updates = reply.messages.filter(({ type }) => type === 'update_display_data')
    assert.equal(displays.length, 1)
    assert.equal(updates.length, 4)
    assert.equal(updates[3]?.content.transient.display_id, displays[0]?.content.transient.display_id)
    assert.match(updates[3]?.content.data['text/plain'], /^work 100 % \(3\/3\)/)
  })

  it('fails the cell whose promise is rejected or whose timer throws', async () => {
    assert.equal((await error("void Promise.reject(new Error('lost')); 1")).evalue, 'lost')
    const waiting = "setTimeout(() => { throw new Error('timer') }, 10); await new Promise(() => {})"
    assert.equal((await error(waiting)).evalue, 'timer')
  })

  it('fails the next cell when that happens between cells', async () => {
    assert.equal((await kernel.execute("setTimeout(() => { throw new Error('late') }, 30)")).status, 'ok')
    await sleep(150)
    assert.match((await error('1')).evalue, /^late \(uncaught after an earlier cell/)
    assert.equal(await value('2'), '2')
  })

  it('cancels the cells that wait behind a failed one', async () => {
    const replies = await Promise.all(
      ['throw new Error("stop")', '1', '2'].map((code) => kernel.execute(code)),
    )
    assert.deepEqual(
      replies.map(({ status }) => status),
      ['error', 'aborted', 'aborted'],
    )
    const [failed, next] = [kernel.execute('throw 1', { stop_on_error: false }), kernel.execute('3')]
    assert.equal((await failed).status, 'error')
    assert.equal(resultOf(await next), '3')
  })

  it('interrupts a loop without an await', async () => {
    const begun = kernel.begun()
    const reply = kernel.execute('while (true) {}')
    await begun
    await sleep(COMPILED)
    kernel.interrupt()
    assert.equal(errorOf(await reply).ename, 'Interrupted')
  })

  it('stops a loop that asks for the signal, and child processes that were given it', async () => {
    await kernel.execute(`
      import { interruptSignal, interrupted } from './lib/workbench'
      import { spawn } from 'node:child_process'
      let steps = 0, ended = ''`)
    const begun = kernel.begun()
    const reply = kernel.execute(`
      const child = spawn('sleep', ['60'], { signal: interruptSignal() })
      child.on('error', (reason) => { ended = reason.name })
      while (!interrupted()) { steps++; await new Promise((done) => setTimeout(done, 5)) }`)
    await begun
    await sleep(COMPILED)
    kernel.interrupt()
    assert.equal(errorOf(await reply).ename, 'Interrupted')
    assert.equal(await value('ended'), 'AbortError')
    const counted = await value('steps')
    await sleep(50)
    assert.equal(await value('steps'), counted)
  })

  it('gives up an await that never ends', async () => {
    const begun = kernel.begun()
    const reply = kernel.execute('await new Promise(() => {})')
    await begun
    await sleep(COMPILED)
    kernel.interrupt()
    assert.equal(errorOf(await reply).ename, 'Interrupted')
    assert.equal(await value('1'), '1')
  })

  it('ends with open timers', async () => {
    assert.equal((await kernel.execute('setInterval(() => {}, 1000); 0')).status, 'ok')
  })
})
