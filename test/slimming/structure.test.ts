import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeSealed } from '../../lib/base'
import { Detector, darknet21 } from '../../lib/detector'
import { planPruning, prune, readStructure, writeStructure } from '../../lib/slimming'
import { oracleCases } from './support'

const folder = mkdtempSync(join(tmpdir(), 'structure-'))
after(() => rmSync(folder, { recursive: true }))

const { config, network, weights, options, expected } = oracleCases()[0]!
const plan = planPruning(network, weights, options)

test('a pruned structure that was written and read prunes to the same network', () => {
  const path = join(folder, 'student.json')
  const provenance = { parent: 'sparse', note: 'a list [\n1,\n  2]' }
  writeStructure(path, { network, plan, provenance })
  assert.deepEqual(readdirSync(folder), ['student.json'])
  assert.match(readFileSync(path, 'utf8'), /^ {4}"stem": \[0, 1, 2, 3, 4, 5\],$/m)
  const structure = readStructure(path)
  assert.deepEqual(structure, { network, plan, provenance })
  const pruned = prune(structure.network, weights, structure.plan)
  assert.deepEqual(pruned, prune(network, weights, plan))
  new Detector(pruned.network, pruned.weights).dispose()
})

test('a malformed structure is refused with file, key, what was expected and what was found', () => {
  const path = join(folder, 'broken.json')
  type Document = { [key: string]: unknown; document?: string; kept: { [group: string]: number[] } }
  const refused = (change: (document: Document) => void, expected: RegExp) => {
    writeStructure(path, { network, plan, provenance: {} })
    const { document: _, ...document } = JSON.parse(readFileSync(path, 'utf8')) as Document
    change(document)
    writeSealed(path, document)
    assert.throws(() => readStructure(path), expected)
  }
  refused((d) => delete d.kept.stem, /broken\.json.*"kept\.stem": expected a list of channels, found none/)
  refused((d) => d.kept['stage1/down']!.push(8), /"kept\.stage1\/down\.8": .* below 8, found 8/)
  refused((d) => d.kept.stem!.reverse(), /"kept\.stem\.1": expected ascending .* found 4/)
  refused((d) => d.kept.stem!.push(5), /"kept\.stem\.6": expected ascending .* found 5/)
  refused((d) => d.kept.stem!.splice(0), /"kept\.stem": expected at least 1 entry/)
  refused((d) => {
    d.kept.other = [0]
  }, /"kept\.other": the architecture has no such group/)
  refused((d) => {
    d.format = 'structure/2'
  }, /"format": .*pruned-structure\/2/)
  refused((d) => {
    d.more = 1
  }, /"more": unknown key/)
  writeFileSync(path, '{')
  assert.throws(() => readStructure(path), /broken\.json:1: expected JSON/)
})

test('a structure of version 1, of a darknet21 by its widths, is read', () => {
  const path = join(folder, 'old.json')
  const { kept, threshold } = plan
  const old = { format: 'pruned-structure/1', detector: config, threshold, kept, provenance: {} }
  writeSealed(path, { ...old, widths: expected.widths })
  assert.deepEqual(readStructure(path), { network: darknet21(config.backbone, config), plan, provenance: {} })
  const { mid } = expected.widths
  writeSealed(path, { ...old, widths: { ...expected.widths, mid: [...mid].reverse() } })
  assert.throws(
    () => readStructure(path),
    /"widths": expected the numbers of channels kept, found .*\[6,2,4,6,4,4,2\]/,
  )
})
