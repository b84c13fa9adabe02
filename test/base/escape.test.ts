import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  csvCell,
  escapeHtml,
  escapeMarkdown,
  escapePlotly,
  forTerminal,
  joinMarkdown,
  markdown,
  markdownCode,
  oneLine,
  plotlyFigure,
  visible,
  withoutMail,
} from '../../lib/base'
import { extractFormulae } from '../../lib/workbench/formulae'
import { pythonProgram } from '../../lib/workbench/project'

/** Any text, and texts of the signs that mean something somewhere. */
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'<>&"\'`|$\\*_[]()!#-+=:~%{}\n\r\t .1a\u001b\u202e') }),
)

/** The text of HTML without tags. */
const textOf = (html: string) =>
  html.replace(
    /&(amp|lt|gt|quot|#39);/g,
    (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name] ?? "'",
  )

test('what acts is seen: control characters as pictures, others as a replacement', () => {
  assert.equal(
    visible('a\u001b[2J\u0000\u007f\u0085\u202e\ud800\ufffe😀'),
    'a\u241b[2J\u2400\u2421\ufffd\ufffd\ufffd\ufffd😀',
  )
  assert.equal(visible('a\tb\r\nc'), 'a\tb\r\nc')
  assert.equal(oneLine('a\tb\r\nc\u2028d'), 'a b c d')
  assert.equal(forTerminal('a\r\nb\rc\u001b[31m'), 'a\r\nb\u240dc\u241b[31m')
})

test('HTML: every text comes back, and none begins a tag or ends an attribute', () => {
  assert.equal(
    escapeHtml('<img src="x" onerror=\'a\'> & ]]>'),
    '&lt;img src=&quot;x&quot; onerror=&#39;a&#39;&gt; &amp; ]]&gt;',
  )
  fc.assert(
    fc.property(texts, (text) => {
      const escaped = escapeHtml(text)
      assert.doesNotMatch(escaped, /[<>"']/)
      assert.equal(textOf(escaped), visible(text))
    }),
  )
})

test('CSV: a text that a spreadsheet would compute is marked, a number is not, and quotes hold commas and lines', () => {
  const cells = ['=1+1', '+a', '-a', '@a', '\ta', '-0.5', 'a,b', 'a"b', 'a\nb', '']
  assert.deepEqual(cells.map(csvCell), [
    "'=1+1",
    "'+a",
    "'-a",
    "'@a",
    "'\ta",
    '-0.5',
    '"a,b"',
    '"a""b"',
    '"a\nb"',
    '',
  ])
  assert.equal(csvCell(-0.5), '-0.5')
})

test('figures: Plotly finds no tag, entity, formula or variable, and a line end breaks a line', () => {
  assert.equal(escapePlotly('<b>&$x$ %{y} 5 %\nz'), '&#60;b&#62;&#38;&#36;x&#36; &#37;{y} 5 %<br>z')
  const figure = plotlyFigure({
    data: [
      {
        ...{ name: '<a>', x: ['__proto__', '', 'a<b'], y: Float32Array.of(1, 2), text: [['<i>']] },
        ...{ hovertemplate: '%{x}<extra></extra>', marker: { symbol: 'x', color: '#fff' } },
      },
    ],
    layout: {
      title: { text: 'a & b' },
      xaxis: { title: '<x>', ticktext: ['<1>'] },
      annotations: [{ text: '$' }],
    },
  })
  assert.deepEqual(figure, {
    data: [
      {
        ...{
          name: '&#60;a&#62;',
          x: ['\u200b__proto__', '\u200b', 'a&#60;b'],
          y: [1, 2],
          text: [['&#60;i&#62;']],
        },
        ...{ hovertemplate: '%{x}<extra></extra>', marker: { symbol: 'x', color: '#fff' } },
      },
    ],
    layout: {
      ...{ title: { text: 'a &#38; b' }, xaxis: { title: '&#60;x&#62;', ticktext: ['&#60;1&#62;'] } },
      annotations: [{ text: '&#36;' }],
    },
  })
})

test('Markdown: a template escapes texts, keeps Markdown, and joins', () => {
  const names = ['a|b', '**c**'].map((name) => markdown`- ${name}`)
  const { markdown: text } =
    markdown`**${'x*y'}** has ${3}, ${undefined}${false}\n${joinMarkdown(names, '\n')}`
  assert.equal(text, '**x\\*y** has 3, \n- a&#124;b\n- \\*\\*c\\*\\*')
  assert.equal(markdownCode('runs/a_b').markdown, '`runs/a_b`')
  assert.equal(markdownCode('a`b').markdown, '<code>a&#96;b</code>')
  assert.equal(escapeMarkdown('0.919 [0.912, 0.926]'), '0.919 [0.912, 0.926]')
  assert.equal(escapeMarkdown('[a](javascript:b)'), '[a&#93;(javascript:b)')
  assert.deepEqual(['# a', '- a', '1. a', '-0.2', '+1.03', '---'].map(escapeMarkdown), [
    ...['\\# a', '\\- a', '1\\. a', '-0.2', '+1.03', '\\---'],
  ])
})

test('Markdown: no text is a formula to the exported pages', () => {
  fc.assert(
    fc.property(texts, texts, (first, second) => {
      const { markdown: text } = markdown`${first} and ${second}`
      assert.equal(extractFormulae(text, 'word').words.size, 0)
    }),
  )
})

test('Markdown: nbconvert shows every text as it stands, within a table too', () => {
  const sample = fc.sample(texts, { numRuns: 150, seed: 3 }).map((text) => text.slice(0, 60))
  const rows = sample.map((text) => `| x | ${escapeMarkdown(text)} | y |`)
  const source = ['| a | b | c |', '| --- | --- | --- |', ...rows].join('\n')
  const program =
    'import sys; from nbconvert.filters.markdown import markdown2html; print(markdown2html(sys.stdin.read()))'
  const { stdout } = spawnSync(pythonProgram('python'), ['-c', program], { input: source, encoding: 'utf8' })
  const cells = [...stdout.matchAll(/<td[^>]*>([\s\S]*?)<\/td>/g)].map(([, cell = '']) => cell)
  assert.equal(cells.length, 3 * sample.length)
  const normal = (text: string) => text.replace(/\s+/g, ' ').trim()
  for (const [i, text] of sample.entries()) {
    // What is an address becomes a link to itself.
    assert.doesNotMatch(cells[3 * i + 1]!, /<(?!\/?a\b)/)
    assert.equal(normal(textOf(cells[3 * i + 1]!.replace(/<[^>]*>/g, ''))), normal(oneLine(text)))
  }
})

test('a measure is no mail address, and code stays as it is', () => {
  assert.equal(withoutMail('**mAP@0.5** is `mAP@0.5`'), '**mAP&#64;0.5** is `mAP@0.5`')
  assert.equal(withoutMail('AP@[.5:.95], a@b.c'), 'AP@[.5:.95], a@b.c')
  const fenced = '```\nmAP@0.5\n```'
  assert.equal(withoutMail(`mAP@0.75\n\n${fenced}`), `mAP&#64;0.75\n\n${fenced}`)
})
