import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Dataset, encodePng, openDataset } from '../../lib/data'
import { recordSplits } from '../../lib/trial'

const scratch = mkdtempSync(join(tmpdir(), 'source-test-'))
after(() => rmSync(scratch, { recursive: true }))

test('the splits of a data set are written as they are used, once', async () => {
  const folder = join(scratch, 'own')
  for (const part of ['images/train', 'images/test', 'labels/train', 'labels/test'])
    mkdirSync(join(folder, part), { recursive: true })
  writeFileSync(join(folder, 'classes.txt'), 'car\n')
  for (let i = 0; i < 12; i++) {
    const name = `${i < 10 ? 'train' : 'test'}/frame_${i}`
    const pixels = new Uint8Array(8 * 8 * 3).fill(i)
    writeFileSync(join(folder, `images/${name}.png`), await encodePng({ width: 8, height: 8, pixels }))
    writeFileSync(join(folder, `labels/${name}.txt`), '0 0.5 0.5 0.5 0.5\n')
  }
  const dataset = await openDataset(folder)
  const out = join(scratch, 'study')
  await Promise.all([recordSplits(dataset, out), recordSplits(dataset, out)])
  await recordSplits(dataset, out)
  const [written, ...more] = readdirSync(out)
  assert.deepEqual(more, [])
  assert.equal(written, `splits-${dataset.hash.slice(0, 12)}`)
  assert.deepEqual(readdirSync(join(out, written!)).sort(), [
    'classes.txt',
    'test.txt',
    'train.txt',
    'validation.txt',
  ])
  const files = ({ splits }: Dataset) =>
    Object.fromEntries(
      Object.entries(splits).map(([split, samples]) => [split, samples.map(({ file }) => file).sort()]),
    )
  assert.deepEqual(files(await openDataset(join(out, written!), { outside: true })), files(dataset))
})
