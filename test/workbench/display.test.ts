import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterEach, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import {
  DISPLAY_HOOK,
  type MimeBundle,
  showImage,
  showMarkdown,
  showPlot,
  showTable,
} from '../../lib/workbench/display'
import { extractFormulae, restoreFormulae } from '../../lib/workbench/formulae'
import { formatSeconds } from '../../lib/workbench/progress'
import { pythonProgram, root } from '../../lib/workbench/project'

const host = globalThis as typeof globalThis & { [DISPLAY_HOOK]?: (bundle: MimeBundle) => void }

/** What a display sends to a notebook. */
function sent(show: () => void): MimeBundle {
  const bundles: MimeBundle[] = []
  host[DISPLAY_HOOK] = (bundle) => bundles.push(bundle)
  show()
  assert.equal(bundles.length, 1)
  return bundles[0]!
}

/** Two bars; the shorter one ends in the middle of the other. */
const BARS = `
  const { showProgress } = require('./lib/workbench/progress')
  const bars = ['first', 'second'].map((name) => showProgress(name, 10))
  const steps = async () => {
    for (let i = 1; i <= 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 120))
      if (i < 5) await bars[0].update(i, 'loss 2')
      if (i === 5) bars[0].done('stopped')
      await bars[1].update(i)
    }
    bars[1].done()
  }
  void steps()`

const program = [process.execPath, '--require', 'tsx/cjs', '--eval', BARS]

test('bars of a command are redrawn on a terminal, and stay as one line each', () => {
  const terminal = 'import pty, sys; pty.spawn(sys.argv[1:])'
  const { status, stdout } = spawnSync(pythonProgram('python'), ['-c', terminal, ...program], {
    cwd: root,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stdout)
  const text = stripVTControlCharacters(stdout)
  assert.match(text, /█+░+ first 20 % \(2\/10\), \d\.\d s left, loss 2/)
  assert.match(text, /█+░+ second 70 % \(7\/10\)/)
  assert.match(text, /first 40 % \(4\/10\), \d\.\d s, stopped/)
  assert.match(text, /second 100 % \(10\/10\), \d\.\d s\s*$/)
})

test('bars of a command are a line at their end elsewhere', () => {
  const { stdout, stderr } = spawnSync(program[0]!, program.slice(1), { cwd: root, encoding: 'utf8' })
  assert.equal(stdout, '')
  assert.match(stderr, /^first 40 % \(4\/10\), \d\.\d s, stopped\nsecond 100 % \(10\/10\), \d\.\d s\n$/)
})

afterEach(() => {
  delete host[DISPLAY_HOOK]
})

test('writes typed arrays of a figure as lists', () => {
  const bundle = sent(() =>
    showPlot({ data: [{ type: 'bar', y: Float32Array.of(1, 2.5) }], layout: { title: 'T' } }),
  )
  assert.deepEqual(bundle['application/vnd.plotly.v1+json'], {
    data: [{ type: 'bar', y: [1, 2.5] }],
    layout: { title: 'T' },
  })
  assert.equal(bundle['text/plain'], '[figure "T": bar]')
})

test('escapes a table, joins the columns of its rows and counts what it leaves out', () => {
  const rows = [{ name: '<b>', value: 0.123456 }, { name: 'x', more: 2 }, { name: 'y' }]
  const { 'text/html': html, 'text/plain': text } = sent(() => showTable(rows, { limit: 2, digits: 3 }))
  assert.match(String(html), /<th [^>]*>name<\/th><th [^>]*>value<\/th><th [^>]*>more<\/th>/)
  assert.match(
    String(html),
    /<td style="text-align:left[^>]*>&lt;b&gt;<\/td><td style="text-align:right[^>]*>0\.123<\/td>/,
  )
  assert.match(text, /1 more rows$/)
})

test('a table holds columns of any name, and what a row lacks is nothing', () => {
  const rows = [JSON.parse('{"__proto__": "a\\nb", "constructor": 1}'), { toString: 'c' }]
  const { 'text/html': html, 'text/plain': text } = sent(() => showTable(rows))
  assert.match(String(html), /__proto__<\/th>.*constructor<\/th>.*toString<\/th>/)
  assert.match(String(html), /<tr><td[^>]*><\/td><td[^>]*><\/td><td[^>]*>c<\/td><\/tr>/)
  assert.match(text, /│ a b +│ 1 +│ +│/)
})

test('Markdown that is a template escapes what is put into it', () => {
  const name = '<b>|`'
  assert.equal(sent(() => showMarkdown`**${name}** ${2}`)['text/markdown'], '**&#60;b&#62;&#124;&#96;** 2')
  assert.equal(sent(() => showMarkdown('**a**'))['text/markdown'], '**a**')
})

test('sends a picture in its own format', () => {
  assert.equal(sent(() => showImage('<svg/>'))['image/svg+xml'], '<svg/>')
  assert.equal(sent(() => showImage(Uint8Array.of(137, 80)))['image/png'], 'iVA=')
})

test('writes durations', () => {
  assert.deepEqual([0.44, 12.4, 185, 7620].map(formatSeconds), ['0.4 s', '12 s', '3 min 05 s', '2 h 07 min'])
})

test('formulae become MathML, and code and prices stay', () => {
  const source = 'It is $x_i$ for `$a$` at $5 and $6.\n\n```\n$b$\n```\n\n$$\\frac{a}{b}$$'
  const { markdown, words } = extractFormulae(source, 'word')
  assert.equal(markdown, 'It is wordx0x for `$a$` at $5 and $6.\n\n```\n$b$\n```\n\nwordx1x')
  const html = restoreFormulae(markdown, words)
  assert.match(html, /It is <span class="katex"><math [^>]*>.*<msub><mi>x<\/mi><mi>i<\/mi><\/msub>/)
  assert.match(html, /<math [^>]*display="block">.*<mfrac>/)
})

test('formulae that are not TeX are an error', () => {
  assert.throws(() => extractFormulae('$\\frac{a$', 'word'), /KaTeX parse error/)
})
