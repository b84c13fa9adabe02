import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { root } from '../../lib/workbench/project'

function passes(program: string, ...args: string[]): void {
  const bin = path.join(root, 'node_modules/.bin', program)
  const { status, stdout, stderr } = spawnSync(bin, args, { cwd: root, encoding: 'utf8' })
  assert.equal(status, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`)
}

it('types: tsc --project .', () => passes('tsc', '--project', '.'))

it('format and lint: biome ci', () => passes('biome', 'ci', '--colors=off'))

it('rooms import only from earlier rooms and nothing outside lib, and only engine imports TensorFlow', () => {
  const rooms = 'base engine data detector losses evaluate slimming train trial study report workbench'.split(
    ' ',
  )
  const broken: string[] = []
  for (const [i, room] of rooms.entries()) {
    const folder = path.join(root, 'lib', room)
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const file = path.join(folder, name)
      for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(
        /(?:from|import|require\()\s*'([^']+)'/g,
      )) {
        const target = from.startsWith('.')
          ? path.relative(path.join(root, 'lib'), path.resolve(file, '..', from))
          : ''
        const isLater = rooms.indexOf(target.split(path.sep)[0] ?? '') > i
        const isNative = from.startsWith('@tensorflow/') && room !== 'engine'
        const isOutside = target.startsWith('..')
        if (isLater || isOutside || isNative) broken.push(`lib/${room}/${name} imports ${from}`)
      }
    }
  }
  assert.deepEqual(broken, [])
})

it('package-lock.json names no host', () => {
  assert.doesNotMatch(readFileSync(path.join(root, 'package-lock.json'), 'utf8'), /"resolved": "[a-z+]+:\/\//)
})
