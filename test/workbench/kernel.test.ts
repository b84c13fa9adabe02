import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { root } from '../../lib/workbench/project'
import { KernelClient, type Reply } from './kernel-client'

const modules = path.join(root, `.cache/kernel-test-${process.pid}`)
const from = (name: string): string => `'./.cache/${path.basename(modules)}/${name}'`
const notebookDir = path.join(root, 'test/workbench/fixtures')

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
  'spin.ts': "export function spin(): void {\n  console.log('spinning')\n  while (true);\n}\n",
  'compute.ts': `import { tf } from '../../lib/engine'
export const tensors = (): number => tf.memory().numTensors
export function compute(): void {
  const ones = tf.ones([64, 64])
  tf.tidy(() => {
    for (console.log('computing'); ; ) tf.matMul(ones, ones).dispose()
  })
}
`,
  'polite.ts': `import { throwIfInterrupted } from '../../lib/workbench'
export const state = { tidied: false }
export function polite(): void {
  try {
    for (console.log('working'); ; ) throwIfInterrupted()
  } finally {
    state.tidied = true
  }
}
`,
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

let kernel: KernelClient
const value = async (code: string): Promise<string> => resultOf(await kernel.execute(code))
const error = async (code: string): Promise<KernelError> => errorOf(await kernel.execute(code))

/** Polls until a variable of the cells is true; returns how many cells that took. */
const becomesTrue = async (name: string): Promise<number> => {
  let asked = 1
  while ((await value(name)) !== 'true') asked++
  return asked
}

before(async () => {
  for (const [name, text] of Object.entries(files)) write(name, text)
  kernel = await KernelClient.start(notebookDir)
})
after(async () => {
  assert.equal(await kernel.stop(), 0)
  rmSync(modules, { recursive: true, force: true })
})

test('the kernel preloads what most notebooks import', { skip: !existsSync('/proc/self/maps') }, async () => {
  const loaded = (): boolean =>
    readFileSync(`/proc/${kernel.process.pid}/maps`, 'utf8').includes('/tfjs_binding.node')
  while (!loaded()) await setTimeout(100)
})

test('the kernel runs in the project root and knows the notebook folder', async () => {
  assert.equal(await value('process.cwd()'), root)
  assert.equal(await value("process.env.NOTEBOOK_DIR ?? ''"), notebookDir)
})

test('the kernel compiles cells by tsconfig.json and names the place of an error as it was typed', async () => {
  assert.match((await error('const text: string = null')).evalue, /^1:7 - Type 'null' is not assignable/)
  assert.match((await error('[1][0].toFixed()')).evalue, /possibly 'undefined'/)
  await kernel.execute('const x = 3')
  const { ename, evalue } = await error('const o = { x }; const z: string = x')
  assert.equal(ename, 'TypeScript')
  assert.match(evalue, /^1:24 - Type 'number' is not assignable/)
})

test('the kernel expands { x } of an earlier cell', async () => {
  await kernel.execute('const early = 5; let other = 0')
  assert.equal(await value('({ early })'), '{ early: 5 }')
  assert.equal(await value(';({ other } = { other: 7 }); other'), '7')
})

test('the kernel takes renamed properties of an earlier cell’s variable', async () => {
  await kernel.execute('const pair = { left: 1, right: { deep: 2 } }')
  assert.equal(await value('const { left: l, right: { deep: r } } = pair; l + 10 * r'), '21')
})

test('the kernel accepts every kind of await', async () => {
  assert.equal(await value('const w = await (Promise.resolve(4)); w'), '4')
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the cell's template
  assert.equal(await value('const five = [await [5][0], `${await (5)}`, await -5]; five.join()'), '5,5,-5')
  assert.match(
    (await error('const text: string = await (Promise.resolve(4))')).evalue,
    /^1:7 - Type 'number'/,
  )
  const turns = 'let turns = 0; for await (const by of [1, Promise.resolve(2)]) turns += by; turns'
  assert.equal(await value(turns), '3')
})

test('the kernel lets a later cell set a variable that a function of an earlier one reads', async () => {
  await kernel.execute('let rate = 1; const doubled = () => 2 * rate; const faster = () => { rate += 1 }')
  assert.equal(await value('rate = 5; doubled()'), '10')
  assert.equal(await value('faster(); [rate, doubled()].join()'), '6,12')
})

test('the kernel accepts repeated declarations, and those marked as exports', async () => {
  assert.equal(await value('class Layer { size() { return 1 } }; new Layer().size()'), '1')
  assert.equal(await value("class Layer { size() { return 'two' } }; new Layer().size()"), 'two')
  assert.equal(await value('function size() { return new Layer().size() }; size()'), 'two')
  assert.equal(await value('export const size = 3, { length } = [1]; size + length'), '4')
  assert.equal(await value('export enum Unit { Points = 7 }; Unit.Points'), '7')
})

test('the kernel keeps what a failed cell had declared before it failed', async () => {
  await kernel.execute('const start = 1')
  await error("const losses = [0.5]; const half = () => 0.5; const start = 'text'; throw new Error('mid')")
  assert.equal(await value('losses[0] === half() && start'), 'text')
  await error("const steps = 3; const later: number = await Promise.reject(new Error('no'))")
  assert.equal(await value('steps'), '3')
  assert.match((await error('later')).evalue, /Cannot find name 'later'/)
})

test('the kernel names the lines of cells as they were typed', async () => {
  await kernel.execute('interface Shape { sides: number }\n\nfunction area({ sides }: Shape): number {')
  const first = await kernel.execute(`interface Shape { sides: number }

// A comment that is not compiled.
function area({ sides }: Shape): number {
  if (sides < 3) throw new RangeError(\`\${sides} sides\`)
  return sides
}`)
  const { traceback } = await error('const shapes = [3, 2].map(\n  (sides) => area({ sides }),\n)')
  assert.deepEqual(
    traceback
      .join('\n')
      .replace(/Object\./g, '')
      .split('\n'),
    [
      'RangeError: 2 sides',
      `    at area (cell[${first.count}]:5:24)`,
      `    at cell[${first.count + 1}]:2:14`,
      '    at Array.map (<anonymous>)',
      `    at cell[${first.count + 1}]:1:23`,
    ],
  )
  const logged = await kernel.execute('try { area({ sides: 1 }) } catch (error) {\n  console.error(error)\n}')
  assert.match(logged.text, new RegExp(`at .*area \\(cell\\[${first.count}\\]:5:24\\)`))
})

test('the kernel completes names of earlier cells and of lib', async () => {
  await kernel.execute("import { showTable } from './lib/workbench'; const longName = { inner: 1 }")
  const names = async (code: string): Promise<string[]> =>
    (await kernel.request('complete_request', { code, cursor_pos: code.length })).matches
  assert.ok((await names('showT')).includes('showTable'))
  assert.deepEqual(await names('longName.in'), ['inner'])
})

test('the kernel loads modules as Node does: circular, folder index, dotted names', async () => {
  assert.equal(await value(`import { sum } from ${from('one')}; sum()`), '3')
  assert.equal(await value(`import { name } from ${from('folder')}; name`), 'dotted')
})

test('the kernel reports a type error of an imported module', async () => {
  const { evalue } = await error(`import { wrong } from ${from('wrong')}; wrong`)
  assert.match(evalue, /wrong\.ts 1:14 - Type 'string' is not assignable/)
})

test('the kernel checks the types of an edited file of lib', async () => {
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

test('the kernel reloads an edited module, even if imported through another one', async () => {
  const cell = `import { value } from ${from('outer')}; value`
  assert.equal(await value(cell), '10')
  write('inner.ts', 'export const value = 20\n')
  utimesSync(path.join(modules, 'inner.ts'), new Date(), new Date(Date.now() + 5000))
  assert.match((await kernel.execute('value')).text, /^Edited: \S+inner\.ts\. Run the cells again/)
  assert.equal(await value(cell), '20')
  write('inner.ts', "export const value: number = 'text'\n")
  utimesSync(path.join(modules, 'inner.ts'), new Date(), new Date(Date.now() + 9000))
  assert.match((await error(cell)).evalue, /inner\.ts 1:14/)
})

test('the kernel sends the input with its number, and errors with place and message', async () => {
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

test('the kernel shows an error of the library, or of an argument, as a sentence with the place in the cell', async () => {
  const brief = async (code: string) => {
    const { traceback } = await error(code)
    return traceback.join('\n').split('\n')
  }
  const wrong = await brief(
    "import { showProgress } from './lib/workbench/progress'\nshowProgress('steps', 0)",
  )
  assert.equal(wrong[0], 'RangeError: showProgress "steps": expected a total above 0, found 0')
  assert.match(wrong.at(-1)!, /^ {4}at .*cell\[\d+\]:2:1/)
  assert.equal(wrong.filter((line) => /^\s+at /.test(line)).length, 1, wrong.join('\n'))
  const shape = await brief("import * as tf from '@tensorflow/tfjs-node-gpu'\ntf.tensor([1, 2], [3])")
  assert.match(shape[0]!, /^Error: Based on the provided shape, \[3\]/)
  assert.equal(shape.filter((line) => /^\s+at /.test(line)).length, 1, shape.join('\n'))
})

test('the kernel loses no output and keeps its order', async () => {
  const reply = await kernel.execute(
    'for (let i = 0; i < 20000; i++) (i % 1000 ? console.log : console.error)(i)',
  )
  assert.equal(reply.status, 'ok')
  const expected = Array.from({ length: 20000 }, (_, i) => `${i}\n`).join('')
  assert.equal(reply.text, expected)
})

test('the kernel loses none of many displays at once', async () => {
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

test('the kernel shows values with columns as a table', async () => {
  const reply = await kernel.execute("({ columns: ['a'], values: [[0.123456]] })")
  assert.match(resultOf(reply), /0\.1235/)
  const result = reply.messages.find(({ type }) => type === 'execute_result')
  assert.match(result?.content.data['text/html'], /<table>.*<th[^>]*>a<\/th>/)
})

test('the kernel takes edited and new files of lib together', async () => {
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

test('the kernel draws a progress bar in place', async () => {
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

test('the kernel fails the cell whose promise is rejected or whose timer throws', async () => {
  assert.equal((await error("void Promise.reject(new Error('lost')); 1")).evalue, 'lost')
  const waiting = "setTimeout(() => { throw new Error('timer') }, 10); await new Promise(() => {})"
  assert.equal((await error(waiting)).evalue, 'timer')
})

test('the kernel fails the next cell when that happens between cells', async () => {
  await kernel.execute("process.once('SIGUSR2', () => { throw new Error('late') })")
  const told = kernel.printed('Uncaught after the cell had ended')
  kernel.process.kill('SIGUSR2')
  await told
  assert.match((await error('1')).evalue, /^late \(uncaught after an earlier cell/)
  assert.equal(await value('2'), '2')
})

test('the kernel cancels the cells that wait behind a failed one', async () => {
  const replies = await Promise.all(['throw new Error("stop")', '1', '2'].map((code) => kernel.execute(code)))
  assert.deepEqual(
    replies.map(({ status }) => status),
    ['error', 'aborted', 'aborted'],
  )
  const [failed, next] = [kernel.execute('throw 1', { stop_on_error: false }), kernel.execute('3')]
  assert.equal((await failed).status, 'error')
  assert.equal(resultOf(await next), '3')
})

/** Interrupts a cell once it has printed something, and checks that it stops. */
const interrupted = async (code: string, printed = 'running'): Promise<KernelError> => {
  const running = kernel.printed(printed)
  const reply = kernel.execute(code)
  await running
  await kernel.interrupt()
  const failure = errorOf(await reply)
  assert.equal(failure.ename, 'Interrupted')
  return failure
}

test('the kernel stops loops without an await, in the first part of a cell and after an await', async () => {
  await interrupted("console.log('running'); while (true);")
  const { traceback } = await interrupted("await 0\nconsole.log('running')\nfor (;;) {\n}")
  assert.match(traceback.join('\n'), /at cell\[\d+\]:3:/)
  const running = kernel.printed('running')
  const reply = kernel.execute("console.log('running'); while (true);")
  await running
  kernel.process.kill('SIGINT')
  assert.equal(errorOf(await reply).ename, 'Interrupted')
})

test('the kernel stops a loop with an await, even in a function of an earlier cell', async () => {
  await kernel.execute(`
      let ended = false
      const work = async () => {
        console.log('running')
        try { for (;;) await new Promise((done) => setTimeout(done, 5)) } finally { ended = true }
      }`)
  await interrupted('await work()')
  await becomesTrue('ended')
  await interrupted(
    "const found = [1]; console.log('running'); for await (const x of (async function* () { for (;;) yield 1 })()) found.push(x)",
  )
  assert.equal(await value('found.length > 0'), 'true')
})

test('the kernel lets synchronous work of lib stop by itself', async () => {
  await interrupted(`import { polite, state } from ${from('polite')}; await 0; polite()`, 'working')
  assert.equal(await value('state.tidied'), 'true')
})

test('the kernel stops computations of TensorFlow, which tidy up', async () => {
  await kernel.execute(`import { compute, tensors } from ${from('compute')}; const before = tensors()`)
  await interrupted('await 0; compute()', 'computing')
  assert.equal(await value('tensors() - before'), '1')
})

test('the kernel breaks off code that does not check, says so, and continues', async () => {
  await interrupted(`import { spin } from ${from('spin')}; spin()`, 'spinning')
  const running = kernel.printed('spinning')
  const reply = kernel.execute('await 0; spin()')
  await running
  await kernel.interrupt()
  const brokenOff = await reply
  assert.equal(errorOf(brokenOff).ename, 'Interrupted')
  assert.match(brokenOff.text, /^spinning\nThe cell was broken off/)
  assert.equal(await value('await Promise.resolve(1) + 1'), '2')
  assert.equal((await kernel.execute("await 0; console.log('still here')")).text, 'still here\n')
})

test('the kernel stops a cell that was interrupted while it was compiled', async () => {
  const begun = kernel.begun()
  const many = Array.from({ length: 400 }, (_, i) => `const n${i} = [${i}].map((x) => ({ x }))`).join('\n')
  const reply = kernel.execute(`${many}\nlet ran = 1\nawait new Promise(() => {})`)
  await begun
  await kernel.interrupt()
  assert.equal(errorOf(await reply).ename, 'Interrupted')
  assert.equal((await error('ran')).ename, 'TypeScript')
})

test('the kernel stops a loop that asks for the signal, and child processes that were given it', async () => {
  await kernel.execute(`
      import { interruptSignal, interrupted } from './lib/workbench'
      import { spawn } from 'node:child_process'
      let over = false, ended = ''`)
  await interrupted(`
      const child = spawn('sleep', ['60'], { signal: interruptSignal() })
      const closed = new Promise((resolve) => child.on('error', (reason) => { ended = reason.name; resolve(0) }))
      console.log('running')
      try { while (!interrupted()) await new Promise((done) => setTimeout(done, 5)) } finally { over = true }
      await closed`)
  assert.equal(await value('ended'), 'AbortError')
  await becomesTrue('over')
})

test('the kernel gives up an await that never ends, and the code after it never runs', async () => {
  await interrupted("console.log('running'); await new Promise(() => {})")
  await kernel.execute('let slow = 0, finish = () => {}')
  const running = kernel.printed('running')
  const reply = kernel.execute(
    "console.log('running'); await new Promise<void>((done) => { finish = done }); slow = 1",
  )
  await running
  await kernel.interrupt()
  await kernel.interrupt() // twice: at once
  assert.equal(errorOf(await reply).ename, 'Interrupted')
  await kernel.execute('finish(); await new Promise((done) => setImmediate(done))')
  assert.equal(await value('slow'), '0')
})

test("the kernel stops an earlier cell's leftover work between cells", async () => {
  const { count } = await kernel.execute(`
      let over = false
      void (async () => {
        try { for (;;) await new Promise((done) => setTimeout(done, 5)) } finally { over = true }
      })()`)
  await kernel.interrupt()
  const asked = await becomesTrue('over')
  assert.equal((await kernel.execute('0')).count, count + asked + 1)
})

test('the kernel hears a client that connects again under its name while the former connection is there', async () => {
  for (const channel of ['shell', 'control'] as const) {
    const sockets = []
    for (let time = 0; time < 3; time++) {
      const socket = kernel.connect(channel, 'jupyter')
      sockets.push(socket)
      const type = channel === 'shell' ? 'kernel_info_request' : 'interrupt_request'
      assert.equal((await kernel.request(type, {}, { socket })).status, 'ok')
    }
    for (const socket of sockets) socket.close()
  }
})

test('the kernel ends with open timers', async () => {
  assert.equal((await kernel.execute('setInterval(() => {}, 1000); 0')).status, 'ok')
})

test('the kernel ends at once, and says why, where somebody else has taken a port that Jupyter chose for it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const port = (taken.address() as AddressInfo).port
  const folder = mkdtempSync(path.join(tmpdir(), 'kernel-test-'))
  const file = path.join(folder, 'connection.json')
  const names = ['shell_port', 'iopub_port', 'stdin_port', 'control_port', 'hb_port']
  const ports = Object.fromEntries(names.map((name) => [name, port]))
  writeFileSync(file, JSON.stringify({ transport: 'tcp', ip: '127.0.0.1', key: 'key', ...ports }))
  const launcher = path.join(root, 'lib/workbench/kernel/main.cjs')
  const { status, stderr } = spawnSync(process.execPath, [launcher, file], {
    cwd: notebookDir,
    encoding: 'utf8',
  })
  taken.close()
  rmSync(folder, { recursive: true })
  assert.equal(status, 1)
  assert.match(stderr, /The kernel cannot listen where Jupyter wants it to: .*Address already in use/)
})
