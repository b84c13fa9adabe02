import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { unchangedParts } from '../../lib/engine/pages'

const ENGINE = join(__dirname, '../../lib/engine')
const PAGES = join(ENGINE, 'pages')

const mapping = (range: string, rights: string, file: string, anonymous = 0) =>
  `${range} ${rights} 00001000 08:01 123456                     ${file}
Size:                 64 kB
Rss:                  64 kB
Anonymous:       ${String(anonymous).padStart(8)} kB
VmFlags: rd ex mr mw me
`

test('what can be given back are the parts of libraries that nobody can write and nobody has written', () => {
  const smaps = [
    mapping('00400000-00410000', 'r-xp', '/usr/bin/node'),
    mapping('7f0000000000-7f0000010000', 'r-xp', '/usr/lib/libone.so.2'),
    mapping('7f0000010000-7f0000020000', 'r--p', '/usr/lib/libone.so.2'),
    mapping('7f0000020000-7f0000030000', 'r--p', '/usr/lib/libone.so.2', 8), // relocated addresses
    mapping('7f0000030000-7f0000040000', 'rw-p', '/usr/lib/libone.so.2'),
    mapping('7f0000040000-7f0000050000', 'r-xp', '/a folder/libtwo.so'),
    mapping('7f0000050000-7f0000060000', 'r--p', '/a folder/data.bin'),
    mapping('7f0000060000-7f0000070000', 'r--s', '/dev/card.so'),
    mapping('7f0000070000-7f0000080000', 'r-xp', '[vdso]'),
    mapping('7f0000080000-7f0000090000', 'r--p', ''),
  ].join('')
  const length = 0x10000
  assert.deepEqual(unchangedParts(smaps), [
    { start: 0x7f0000000000, length },
    { start: 0x7f0000010000, length },
    { start: 0x7f0000040000, length },
  ])
})

test(
  'a process that computes holds few pages of the libraries that it has loaded, and computes as before',
  { skip: process.platform !== 'linux' && 'pages are given back on Linux alone' },
  () => {
    const code = `
      const { tf } = require(${JSON.stringify(ENGINE)})
      const resident = () => Number(/RssFile:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'utf8'))[1])
      const kernel = tf.ones([3, 3, 8, 8])
      const compute = () => [...tf.sum(tf.conv2d(tf.ones([1, 16, 16, 8]), kernel, 1, 'valid')).dataSync()]
      const before = compute()
      const loaded = resident()
      require(${JSON.stringify(PAGES)}).giveBackPages()
      const left = resident()
      console.log(JSON.stringify({ loaded, left, before, after: compute() }))`
    const run = (...loader: string[]) => {
      const environment = { ...process.env, CUDA_VISIBLE_DEVICES: '' }
      const command = [...loader.flatMap((file) => ['--require', file]), '-e', code]
      const { stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', env: environment })
      assert.match(stdout, /^{/m, stderr)
      const schema = z.object({
        loaded: z.number(),
        left: z.number(),
        before: z.array(z.number()),
        after: z.array(z.number()),
      })
      return schema.parse(JSON.parse(stdout.slice(stdout.indexOf('{'))))
    }
    const plain = run('tsx/cjs')
    const expected = [14 * 14 * 8 * 72]
    assert.deepEqual([plain.before, plain.after], [expected, expected])
    assert.ok(plain.left < plain.loaded / 2, `${plain.left} of ${plain.loaded} kB`)
    const started = run(join(ENGINE, 'loader.cjs'))
    assert.deepEqual(started.after, expected)
    assert.ok(started.loaded < plain.loaded / 2, `${started.loaded} of ${plain.loaded} kB`)
  },
)
