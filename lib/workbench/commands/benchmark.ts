import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { interruptSignal, writeAtomically } from '../../base'
import { RUNTIMES, type RuntimeName } from '../../deploy/runtimes'
import { withModelData, withPair } from '../data-options'
import type { ModelDataOptions } from '../model-data'
import { type ProgressBar, showProgress } from '../progress'
import { root } from '../project'
import { say } from '../say'
import { wholeNumber } from '../whole-number'

interface Options extends ModelDataOptions {
  readonly rounds: number
  readonly calls: number
  readonly first?: number
  readonly out: string
  readonly ship?: boolean
  readonly runtimes?: readonly RuntimeName[]
}

const PARTS = { writing: 'writing the files', scoring: 'scoring', timing: 'timing, rounds' } as const

/** `benchmark`: two models in every format and runtime. */
export function benchmarkCommand(): Command {
  const command = new Command('benchmark').description(
    'write two models in every format, run each file in its own runtime with one thread, and compare size, milliseconds ' +
      'and accuracy; leaves benchmark.json and a page with the figure in <out>',
  )
  return withModelData(withPair(command), 'whose images of validation are scored')
    .option('--first <count>', 'only the first so many of them', wholeNumber)
    .option('--rounds <count>', 'turns of every file', wholeNumber, 25)
    .option('--calls <count>', 'calls a turn', wholeNumber, 8)
    .option('--runtimes <list>', `only these, with commas between: ${RUNTIMES.join(', ')}`, parseRuntimes)
    .option('--out <folder>', 'for the result', path.join(root, 'runs/benchmark'))
    .option('--ship', 'put the result where notebook 15 finds it, in data/deploy')
    .action(run)
}

function parseRuntimes(text: string): RuntimeName[] {
  return text.split(',').map((word) => {
    const found = RUNTIMES.find((name) => name === word)
    if (!found) throw new InvalidArgumentError(`expected ${RUNTIMES.join(', ')}, found ${word}`)
    return found
  })
}

async function run(teacher: string, student: string, options: Options): Promise<void> {
  const { benchmark, SHIPPED_BENCHMARK } = require('../../deploy') as typeof import('../../deploy')
  const { formatsFindings, formatsPage, formatsTable } =
    require('../../report') as typeof import('../../report')
  const { loadCheckpoint } = require('../../train') as typeof import('../../train')
  const { CACHE, openModelData } = require('../model-data') as typeof import('../model-data')
  const { rowsTable } = require('../text-table') as typeof import('../text-table')
  const signal = interruptSignal()
  const models = [
    { name: 'teacher', model: loadCheckpoint(teacher) },
    { name: 'student', model: loadCheckpoint(student) },
  ]
  const { dataset, crop } = await openModelData(options, signal)
  const bars = new Map<string, ProgressBar>()
  const { rounds, calls, first: images, out, runtimes } = options
  try {
    const result = await benchmark(models, dataset, {
      ...{ rounds, calls, images, runtimes, crop, signal, cache: CACHE },
      folder: mkdtempSync(path.join(tmpdir(), 'benchmark-')),
      onProgress: (part, done, total) => {
        const bar = bars.get(part) ?? showProgress(PARTS[part], total)
        bars.set(part, bar)
        void bar.update(done)
        if (done === total) bar.done()
      },
    })
    writeAtomically(path.join(out, 'index.html'), formatsPage(result))
    const text = `${JSON.stringify(result, null, 2)}\n`
    writeAtomically(path.join(out, 'benchmark.json'), text)
    if (options.ship) writeAtomically(SHIPPED_BENCHMARK, text)
    say(rowsTable(formatsTable(result), { words: 3 }))
    for (const line of [...formatsFindings(result), ...result.missing]) say(line)
    say([path.join(out, 'benchmark.json'), path.join(out, 'index.html')].join(' '))
  } finally {
    for (const bar of bars.values()) bar.done()
  }
}
