import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { benchmark, bestWithin, paretoFront, readBenchmark } from '../../lib/deploy'
import {
  budgetOf,
  choices,
  choiceWithin,
  formatsFigure,
  formatsFindings,
  formatsPage,
  formatsSection,
  formatsTable,
} from '../../lib/report'
import { loadProfile } from '../../lib/study'
import { tinyDetector, tinyWeights } from '../train/tiny'
import { modelOf } from './models'
import { folder, path, scenes } from './support'

const row = (median: number, AP: number, withNms = false) => ({
  milliseconds: { median, low: median, high: median },
  AP: { value: AP },
  withNms,
})

test('the front: what no other beats in time and accuracy both; files with NMS stand beside it', () => {
  const rows = [row(1, 0.5), row(2, 0.6), row(2, 0.55), row(3, 0.6), row(0.5, 0.9, true), row(1, 0.5)]
  assert.deepEqual(paretoFront(rows), [rows[0], rows[1], rows[5]])
  assert.equal(bestWithin(rows, 2.5), rows[1])
  assert.equal(bestWithin(rows, 1), rows[0])
  assert.equal(bestWithin(rows, 0.7), undefined)
})

test('two models in the library and on WebAssembly: rows with times, accuracy and differences; kept and read again', async () => {
  const dataset = await scenes()
  const models = ['teacher', 'student'].map((name, i) => ({
    name,
    model: { ...modelOf(tinyDetector(), tinyWeights(i)), classes: dataset.classes },
  }))
  const parts: string[] = []
  const result = await benchmark(models, dataset, {
    ...{ rounds: 2, calls: 2, images: 3, runtimes: ['tfjs'], cache: folder },
    folder: mkdtempSync(join(folder, 'benchmark-')),
    onProgress: (part, done, total) => void (done === total && parts.push(part)),
  })
  assert.deepEqual(parts, ['writing', 'scoring', 'timing'])
  const file = path('benchmark.json')
  writeFileSync(file, JSON.stringify(result))
  assert.deepEqual(readBenchmark(file), JSON.parse(JSON.stringify(result)))
  assert.deepEqual(
    result.models.map(({ name, sha256 }) => [name, sha256]),
    models.map(({ name, model }) => [name, model.sha256]),
  )
  for (const { rows } of result.models) {
    assert.equal(rows[0]!.AP.toLibrary, undefined)
    const last = rows.at(-1)!
    assert.equal(last.runtime, 'tfjs')
    assert.ok(last.milliseconds.low <= last.milliseconds.median && last.milliseconds.median > 0)
    assert.ok(last.maxDifference! <= 1e-4)
    assert.ok(Math.abs(last.AP.toLibrary!.difference) < 0.01)
  }
  // What a symbol means stands in the figure itself.
  const named = formatsFigure(result).data.map(({ name }) => name)
  assert.deepEqual(named, ['front', 'teacher', 'student', 'this library', 'TF.js (WebAssembly)'])
  const table = formatsTable(result)
  assert.equal(table.length, result.models.flatMap(({ rows }) => rows).length)
  assert.equal(formatsFindings(result).length, 2)
  assert.match(formatsPage(result), /<h1>Files to deploy<\/h1>/)
  const budget = budgetOf(result, {})
  assert.equal(budget.milliseconds, result.models[1]!.rows[0]!.milliseconds.median)
  assert.match(
    choices(result, budget)[0]!,
    /^Within [\d.]+ ms a call \(what the student takes in this library; .*\) take .* of the (teacher|student): [\d.]+ ms/,
  )
  const none = budgetOf(result, { deploy: { milliseconds: 1e-6 } })
  assert.match(choices(result, none)[0]!, /deploy\.milliseconds\) no file of either model is fast enough/)
  const wide = choiceWithin(result, budgetOf(result, { deploy: { milliseconds: 1e6 } }))
  const all = result.models.flatMap(({ rows }) => rows.map(({ AP }) => AP.value))
  assert.equal(wide?.row.AP.value, Math.max(...all))
  const profile = loadProfile('smoke')
  const shown = formatsSection({ profile, benchmark: { measured: result, command: '' } })
  assert.deepEqual(
    shown.blocks.map(({ kind }) => kind),
    ['list', 'figure', 'table'],
  )
  const [missing] = formatsSection({ profile, benchmark: { command: 'npx workbook benchmark A B' } }).blocks
  assert.ok(missing?.kind === 'text' && missing.text.endsWith('npx workbook benchmark A B'))
  assert.deepEqual(formatsSection({ profile }).blocks, [])
})

test('an interrupt ends the benchmark with its reason', async () => {
  const dataset = await scenes()
  const model = { ...modelOf(tinyDetector(), tinyWeights()), classes: dataset.classes }
  const controller = new AbortController()
  const running = benchmark([{ name: 'teacher', model }], dataset, {
    ...{ runtimes: ['library'], cache: folder, folder: mkdtempSync(join(folder, 'benchmark-')) },
    signal: controller.signal,
    onProgress: (part) => part === 'writing' && controller.abort(new Error('stop')),
  })
  await assert.rejects(running, /stop/)
})
