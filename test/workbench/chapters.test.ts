import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { chapterOutputs, chaptersOf, fillIndex, readChapter } from '../../lib/workbench/chapters'

const folder = mkdtempSync(path.join(tmpdir(), 'chapters-'))
after(() => rmSync(folder, { recursive: true }))

const FIGURE = { data: [{ y: [1] }], layout: { title: { text: 'Loss' } } }
const shown = (tag: string, data: object) => ({
  cell_type: 'code',
  source: '',
  metadata: { tags: [tag] },
  outputs: [{ output_type: 'display_data', data }],
})
const heading = { cell_type: 'markdown', source: ['# Loss\n', '\n', '> Does it fall?\n', '\n', 'The claim.'] }

function put(name: string, cells: readonly object[]): string {
  const file = path.join(folder, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify({ cells, nbformat: 4 }))
  return file
}

test('a chapter is its heading and question, and what its tagged cells have shown', () => {
  const notebook = put('07-loss.ipynb', [heading])
  assert.deepEqual(readChapter(notebook), { name: '07-loss', title: 'Loss', question: 'Does it fall?' })
  const executed = put('run/07-loss.ipynb', [
    heading,
    shown('other', { 'text/markdown': 'no answer' }),
    shown('answer', { 'text/markdown': ['It does, ', 'by 1.'] }),
    shown('picture', { 'application/vnd.plotly.v1+json': FIGURE }),
  ])
  const { answer, picture } = readChapter(notebook, executed)
  assert.equal(answer, 'It does, by 1.')
  assert.deepEqual(picture, { figure: FIGURE })
  const image = 'data:image/png;base64,AAAA'
  const drawn = put('drawn.ipynb', [shown('picture', { 'text/html': `<p>x</p><img src="${image}">` })])
  assert.deepEqual(readChapter(notebook, drawn).picture, { image })
})

test('the index has the committed chapters with what was run, and else what comes with the workbook', () => {
  const executed = put('out/notebooks/05-class-kd.ipynb', [
    shown('answer', { 'text/markdown': 'mAP@0.5 rose.' }),
  ])
  assert.ok(executed)
  const chapters = chaptersOf(path.join(folder, 'out'))
  assert.ok(chapters.length > 14)
  const elsewhere = chapters.map((chapter) => ({ ...chapter, answer: `of ${chapter.name}` }))
  const texts = chapterOutputs(chapters, elsewhere).map((bundle) => String(bundle['text/markdown']))
  const [own, other] = ['05-class-kd', '06-masked-class-kd'].map((name) =>
    texts.find((text) => text.includes(`(${name}.ipynb)`)),
  )
  assert.match(own ?? '', /mAP&#64;0\.5 rose\.$/)
  assert.match(other ?? '', /of 06-masked-class-kd\n\n\*In the run that comes with the workbook/)
  const alone = chapterOutputs(chapters, []).map((bundle) => String(bundle['text/markdown']))
  assert.equal(alone.filter((text) => text.includes('Not run yet')).length, chapters.length - 1)
})

test('an index that was not run is filled, and keeps its cells', () => {
  const cell = { id: 'chapters', cell_type: 'code', source: 'showChapters()', outputs: [] }
  const index = put('index.ipynb', [heading, cell])
  fillIndex(index, [{ name: '07-loss', title: 'Loss', question: 'Does it fall?', answer: 'Yes.' }])
  const { cells } = JSON.parse(readFileSync(index, 'utf8'))
  assert.equal(cells[1].source, 'showChapters()')
  assert.match(cells[1].outputs[0].data['text/markdown'], /\[07 · Loss\]\(07-loss\.ipynb\)[\s\S]*Yes\./)
})
