import { extname } from 'node:path'
import { folderOf } from '../intake/paths'
import { splitOfName } from '../intake/splits'
import type { Sample } from '../types'

/**
 * A name that every notation and disk can hold: the id in one word, without the folder of its split or the file's ending, with '_' for what
 * separates folders or begins a comment, and different from all others even where a disk takes letters' forms as one. Of one that is too
 * long, which deep folders make, the end is kept.
 */
export function nameOf({ id, file }: Pick<Sample, 'id' | 'file'>, taken: Set<string>): string {
  const folders = folderOf(id).split('/')
  const within = splitOfName(folders[0] ?? '') === undefined ? id : id.slice(folders[0]!.length + 1)
  const ending = extname(file)
  const inner = ending !== '' && within.endsWith(ending) ? within.slice(0, -ending.length) : within
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names of files may hold them, lines may not
  const word = lastOf(inner.replace(/[/\\:\u0000-\u001f\u007f]/g, '_').trim())
  const plain = /^[.#-]|^$/.test(word) ? `_${word}` : word
  const key = (name: string) => name.normalize('NFC').toLowerCase()
  let name = plain
  for (let i = 2; taken.has(key(name)); i++) name = `${plain}_${i}`
  taken.add(key(name))
  return name
}

/** Bytes of a name, which with an ending and a number behind it stay below the 255 that disks take. */
const MOST_BYTES = 200

function lastOf(word: string): string {
  const bytes = Buffer.from(word)
  if (bytes.length <= MOST_BYTES) return word
  // A letter that the cut goes through is gone.
  return bytes
    .subarray(-MOST_BYTES)
    .toString('utf8')
    .replace(/^\ufffd+/, '')
}
