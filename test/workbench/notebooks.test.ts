import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { NotebookError, readNotebook } from '../../lib/workbench/notebook-file'
import { executeNotebooks, type NotebookProgress } from '../../lib/workbench/notebooks'
import { pythonProgram, root } from '../../lib/workbench/project'

const outDir = mkdtempSync(path.join(tmpdir(), 'notebooks-test-'))
const fixture = (name: string): string => path.join(root, `test/workbench/fixtures/${name}.ipynb`)

/** A notebook of one cell. */
function written(name: string, source: string): string {
  const file = path.join(outDir, 'sources', `${name}.ipynb`)
  mkdirSync(path.dirname(file), { recursive: true })
  const cell = { cell_type: 'code', execution_count: null, id: name, metadata: {}, outputs: [], source }
  const kernelspec = { display_name: 'TypeScript', language: 'typescript', name: 'tslab' }
  writeFileSync(
    file,
    JSON.stringify({ cells: [cell], metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }),
  )
  return file
}

const appending = (line: string): string =>
  `require('node:fs').appendFileSync(process.env.WORKBOOK_TEST, '${line}\\n')`

/** Number of running processes with a text in their environment. */
function processesWith(text: string): number {
  const holds = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text)
    } catch {
      return false // it has just ended
    }
  }
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && holds(name)).length
}

/** Waits until no process has a text in its environment. */
async function gone(text: string): Promise<void> {
  for (const until = Date.now() + 30_000; processesWith(text) > 0 && Date.now() < until; )
    await setTimeout(200)
  assert.equal(processesWith(text), 0)
}

async function failure(name: string): Promise<NotebookError> {
  try {
    await executeNotebooks({ notebooks: [fixture(name)], outDir })
  } catch (error) {
    assert.ok(error instanceof NotebookError, String(error))
    return error
  }
  throw new Error(`${name} was expected to fail`)
}

after(() => rmSync(outDir, { recursive: true, force: true }))

test('an execution runs every cell, reports progress and makes a page that needs no network', async () => {
  const seen: NotebookProgress[] = []
  const [result] = await executeNotebooks({
    notebooks: [fixture('small')],
    outDir,
    env: { WORKBOOK_TEST: 'given' },
    onProgress: (progress) => seen.push(progress),
  })
  assert.ok(result)
  const code = readNotebook(result.executed).cells.filter((cell) => cell.cell_type === 'code')
  assert.deepEqual(
    code.map((cell) => cell.execution_count),
    [1, 2, 3],
  )
  assert.deepEqual(
    code[1]?.outputs?.map((output) => Object.keys(output.data ?? {})[0]),
    ['application/vnd.plotly.v1+json', 'text/html', 'text/markdown'],
  )
  const [bar, value] = code[2]?.outputs ?? []
  assert.match(String(bar?.data?.['text/plain']), /^steps 100 % \(5\/5\)/)
  assert.match(String(value?.data?.['text/plain']), /dir: 'given'/)

  assert.deepEqual(
    [...new Set(seen.map(({ cell, cells }) => `${cell}/${cells}`))],
    ['0/0', '1/3', '2/3', '3/3'],
  )
  assert.ok(
    seen.some(({ index, count, cell, bar }) => index === count && cell === 3 && /^steps \d+ %/.test(bar)),
  )
  assert.equal(seen.at(-1)?.stage, 'export')

  const page = readFileSync(result.html, 'utf8')
  const plotly = readFileSync(require.resolve('plotly.js-dist-min'), 'utf8')
  const parts = page.split(plotly.slice(0, 20_000))
  assert.equal(parts.length, 2, 'plotly.js is in the page once')
  const head = parts[0] ?? ''
  const loaded =
    /<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!data:)[^"#][^>]*|import\(|require\.js|MathJax/.exec(
      head,
    )
  assert.equal(loaded?.[0], undefined)
  assert.equal(head.match(/<math /g)?.length, 4)
  assert.match(head, /<code>\$5<\/code>/)
  assert.match(head, /class="workbook-figure-data"[^>]*>\{"data": \[\{"name": "squares"/)
})

test('executions that begin at once have kernels of their own, which are spoken to through files and not through ports', async () => {
  const transport = "JSON.parse(require('node:fs').readFileSync(process.argv[2]!, 'utf8')).transport"
  const names = ['beside-1', 'beside-2', 'beside-3']
  const record = (name: string) => path.join(outDir, `${name}.txt`)
  await Promise.all(
    names.map((name) => {
      const told = `require('node:fs').appendFileSync(process.env.WORKBOOK_TEST, ${transport} + ' ' + process.pid)`
      return executeNotebooks({
        notebooks: [written(name, told)],
        outDir: path.join(outDir, name),
        env: { WORKBOOK_TEST: record(name), TMPDIR: path.join(outDir, name) },
      })
    }),
  )
  const said = names.map((name) => readFileSync(record(name), 'utf8').split(' '))
  assert.deepEqual(
    said.map(([how]) => how),
    ['ipc', 'ipc', 'ipc'],
  )
  assert.equal(new Set(said.map(([, pid]) => pid)).size, 3)
  for (const name of names)
    assert.ok(!readdirSync(path.join(outDir, name)).some((left) => left.startsWith('workbook-')))
})

test('an execution takes parameters from papermill, which the compiler checks', () => {
  const papermill = (...parameters: string[]) => {
    const out = path.join(outDir, 'parameters.ipynb')
    const { status, stderr } = spawnSync(
      pythonProgram('papermill'),
      [fixture('parameters'), out, ...parameters],
      { encoding: 'utf8' },
    )
    const last = readNotebook(out).cells.at(-1)?.outputs?.at(-1)
    return { status, stderr, value: last?.data?.['text/plain'] }
  }
  const given = papermill('-p', 'rate', '3', '-y', '{names: [a, "b\\"c"]}')
  assert.equal(given.status, 0, given.stderr)
  assert.equal(String(given.value), '{"rate":3,"names":["a","b\\"c"]}')
  const misspelt = papermill('-p', 'ratte', '3')
  assert.equal(misspelt.status, 1)
  assert.match(misspelt.stderr, /2:1 - Cannot find name 'ratte'. Did you mean 'rate'\?/)
})

test('an execution names the cell that failed and keeps what ran', async () => {
  const error = await failure('failing')
  assert.equal(error.cell, 2)
  assert.match(error.message, /failing\.ipynb, code cell 2 failed:[\s\S]*RangeError: no such layer/)
  assert.ok(error.partial)
  const cells = readNotebook(error.partial).cells
  assert.deepEqual(
    cells[1]?.outputs?.map((output) => output.output_type),
    ['stream', 'error'],
  )
  assert.equal(existsSync(path.join(outDir, 'failing.ipynb')), false)
})

test('an execution runs notebooks in one kernel that forgets what the previous one declared and left running', async () => {
  const record = path.join(outDir, 'record.txt')
  const pause = (milliseconds: number): string =>
    `new Promise((resolve) => setTimeout(resolve, ${milliseconds}))`
  const told = (expression: string): string =>
    `require('node:fs').appendFileSync(process.env.WORKBOOK_TEST, \`\${${expression}}\\n\`)`
  const notebooks = [
    written(
      'first',
      "import { interruptSignal } from './lib/workbench'\nconst label = 'first'\n" +
        `void (async () => { for (;;) { await ${pause(20)}; process.env.TURNS = \`x\${process.env.TURNS}\` } })()\n` +
        "require('node:fs').writeSync(1, '{}\\n') // not an answer\n" +
        `interruptSignal().addEventListener('abort', () => ${told("label + ' is stopped'")})\n${told('process.pid')}`,
    ),
    written(
      'second',
      `const label: number = 2\n${told('process.pid')}\n${told('label')}\n${told('process.env.TURNS')}\n` +
        `await ${pause(300)}\n${told('process.env.TURNS')}`,
    ),
    written('third', 'label'),
  ]
  await assert.rejects(
    executeNotebooks({ notebooks, outDir, env: { WORKBOOK_TEST: record } }),
    (error: Error) => {
      assert.match(error.message, /third\.ipynb, code cell 1 failed:[\s\S]*Cannot find name 'label'/)
      return true
    },
  )
  const [first, stopped, second, name, turns, later] = readFileSync(record, 'utf8').split('\n')
  assert.equal(stopped, 'first is stopped')
  assert.equal(second, first)
  assert.equal(name, '2')
  assert.equal(later, turns)
  assert.deepEqual(
    readNotebook(path.join(outDir, 'second.ipynb')).cells.map((cell) => cell.execution_count),
    [1],
  )
})

test(
  'an execution runs nothing after a failed notebook and leaves no process',
  { skip: !existsSync('/proc/self/environ') },
  async () => {
    const mark = path.join(outDir, 'waiting.txt')
    const notebooks = [written('broken', "throw new Error('broken')"), written('waiting', appending('ran'))]
    await assert.rejects(
      executeNotebooks({ notebooks, outDir, env: { WORKBOOK_TEST: mark } }),
      /broken\.ipynb, code cell 1 failed/,
    )
    assert.equal(existsSync(mark), false)
    await gone(mark)
  },
)

test(
  'an execution leaves no process when the command is killed',
  { skip: !existsSync('/proc/self/environ') },
  async () => {
    const mark = path.join(outDir, 'killed.txt')
    const endless = written(
      'endless',
      `${appending('runs')}\nawait new Promise((resolve) => setTimeout(resolve, 600_000))`,
    )
    const options = { notebooks: [endless], outDir, env: { WORKBOOK_TEST: mark } }
    const program = `require('./lib/workbench/notebooks').executeNotebooks(${JSON.stringify(options)})`
    const command = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', program], {
      cwd: root,
      stdio: 'ignore',
    })
    while (!existsSync(mark)) await setTimeout(200)
    assert.ok(processesWith(mark) >= 2) // nbconvert's process and the kernel
    command.kill('SIGKILL')
    await gone(mark)
  },
)

test('an execution fails on an error that surfaces after the last cell', async () => {
  assert.match((await failure('late')).message, /too late/)
})

test('an execution ends the kernel when it is aborted', async () => {
  const controller = new AbortController()
  const notebooks = [fixture('endless')]
  const onProgress = ({ cell }: NotebookProgress): void => {
    if (cell === 2) controller.abort()
  }
  const { signal } = controller
  await assert.rejects(
    executeNotebooks({ notebooks, outDir, onProgress, signal }),
    /code cell 2 failed:\nIt was interrupted/,
  )
})

test('an execution ends a kernel that computes without a pause', async () => {
  const mark = path.join(outDir, 'busy.txt')
  const controller = new AbortController()
  const notebooks = [written('busy', `${appending('runs')}\nfor (let i = 0; ; i++) Math.sqrt(i)`)]
  const { signal } = controller
  const failed = executeNotebooks({ notebooks, outDir, env: { WORKBOOK_TEST: mark }, signal })
  const refused = assert.rejects(failed, /code cell 1 failed:\nIt was interrupted/)
  while (!existsSync(mark)) await setTimeout(100)
  controller.abort()
  await refused
  await gone(mark)
})

test(
  'an execution can be aborted while the kernel starts',
  { skip: !existsSync('/proc/self/environ') },
  async () => {
    const mark = path.join(outDir, 'starting.txt')
    const controller = new AbortController()
    const notebooks = [written('starting', appending('ran'))]
    const { signal } = controller
    const failed = executeNotebooks({ notebooks, outDir, env: { WORKBOOK_TEST: mark }, signal })
    const refused = assert.rejects(failed, /It was interrupted/)
    while (processesWith(mark) < 2) await setTimeout(10) // nbconvert's process, and the starting kernel
    controller.abort()
    await refused
    assert.equal(existsSync(mark), false)
    await gone(mark)
  },
)
