import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from './project'

const WIDTH = 110

/**
 * The entries of package.json's "exports", one per room and one for all of lib/: files of lib/entries and their texts.
 * Before running an entry, Node reads from its text which names ES modules can import, so the names must appear there.
 */
export function entryFiles(): Map<string, string> {
  const lib = path.join(root, 'lib')
  const rooms = readdirSync(lib).filter((name) => existsSync(path.join(lib, name, 'index.ts')))
  const files = new Map<string, string>()
  for (const room of ['', ...rooms]) {
    const exported: unknown = require(path.join(lib, room, 'index.ts'))
    files.set(
      path.join(lib, 'entries', `${room || 'index'}.cjs`),
      textOf(room, Object.keys(exported ?? {}).sort()),
    )
  }
  return files
}

function textOf(room: string, names: readonly string[]): string {
  const lines = ['']
  for (const name of names) {
    const longer = `${lines.at(-1)} ${name},`
    if (longer.length > WIDTH) lines.push(` ${name},`)
    else lines[lines.length - 1] = longer
  }
  return [
    '// Written by `npx workbook entries`. Node reads the names before anything runs.',
    "'use strict'",
    `module.exports = require('../engine/entry.cjs').room('${room}')`,
    '0 && (module.exports = {',
    ...lines.map((line) => ` ${line}`),
    '})',
    '',
  ].join('\n')
}
