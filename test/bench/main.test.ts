import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CUDA_PARTS, runBenchmark } from './main'

test('a part that says nothing about a card is refused there before anything runs', async () => {
  const options = {
    ...{ device: 'cuda' as const, threads: [1], batches: [1], rounds: 1, secondsPerTurn: 0, epochImages: 1 },
    ...{
      lowPrecisions: [],
      seeds: [1],
      quick: true,
      keep: false,
      root: '/nowhere',
      python: '/nowhere/python',
    },
    signal: new AbortController().signal,
  }
  await assert.rejects(runBenchmark({ ...options, parts: ['training', 'evaluator'] }), {
    message: `expected parts for a card (${CUDA_PARTS.join(', ')}), found evaluator`,
  })
})
