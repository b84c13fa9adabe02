import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { tf } from '../../lib/engine'
import { METHOD_NAMES, METHODS, PUBLISHED } from '../../lib/losses'
import { checkMethod, gradientMaps, openProbe, type Probe } from '../../lib/report'
import { createStudy, loadSweep, planArms, type Study } from '../../lib/study'
import { temporary } from '../train/tiny'

let study: Study
let probe: Probe
before(async () => {
  // The shipped networks on a few scenes.
  const profile = parse(readFileSync(join(__dirname, '../../lib/study/profiles/default.yaml'), 'utf8'))
  profile.data.splits = { train: 2, validation: 2, test: 2 }
  const file = join(temporary(), 'default.yaml')
  writeFileSync(file, stringify(profile))
  study = await createStudy({ profile: file, out: temporary(), cache: temporary() })
  probe = await openProbe(study, { count: 2 })
})
after(() => probe.dispose())

test('the check of the notebooks takes every method: its gradient reaches the student, and the teacher never', () => {
  for (const method of METHOD_NAMES) {
    const { losses, norms, reachedTeacher, unreachedStudent } = checkMethod(probe, { method, weight: 1 })
    assert.ok(losses.distillation > 0, method)
    assert.ok(norms.ratio > 0 && Number.isFinite(norms.ratio), `${method}: ${norms.ratio}`)
    assert.deepEqual(reachedTeacher, [], method)
    const backbone = unreachedStudent.filter((name) => !name.includes('head') && !name.includes('detect'))
    assert.deepEqual(backbone, [], method)
  }
})

test('gradient maps show every method on the part of the forward pass that it compares, and leave nothing behind', () => {
  for (const { name, needs } of METHODS) {
    const term = { method: name, weight: 1 }
    gradientMaps(probe, term, 0)
    const tensors = tf.memory().numTensors
    const maps = gradientMaps(probe, term, 0)
    assert.equal(tf.memory().numTensors, tensors, name)
    const shapes = maps.map(({ values }) => [values.length, values[0]!.length])
    assert.deepEqual(
      shapes,
      probe.s[needs[0]!].map(({ shape: [, h, w] }) => [h, w]),
      name,
    )
    const all = maps.flatMap(({ values }) => values.flat())
    assert.ok(all.every(Number.isFinite) && all.some((value) => value > 0), name)
  }
})

test('a sweep takes every method by its name with its own options, and refuses those of another', () => {
  const document = (terms: readonly object[]) => ({
    ...{
      name: 'methods',
      question: 'Does it plan?',
      profile: 'default',
      seeds: [1],
      references: ['control'],
    },
    arms: [
      { name: 'control', steps: 1, rate: 0.01 },
      ...terms.map((term, i) => ({ name: `arm ${i}`, steps: 1, rate: 0.01, terms: [term] })),
    ],
  })
  const file = join(temporary(), 'methods.yaml')
  const terms = METHOD_NAMES.map((method) => ({ method, ...PUBLISHED[method] }))
  writeFileSync(file, stringify(document(terms)))
  const [, ...arms] = planArms(loadSweep(file), study)
  assert.deepEqual(
    arms.map(({ trials: [trial] }) => trial?.kind === 'distill' && trial.terms),
    terms.map((term) => [term]),
  )
  writeFileSync(file, stringify(document([{ method: 'feature-cosine', weight: 1, threshold: 0.5 }])))
  assert.throws(() => loadSweep(file), /at "arms\[1\]\.terms\[0\]\.threshold": unknown key/)
  writeFileSync(file, stringify(document([{ method: 'feature-sine', weight: 1 }])))
  assert.throws(
    () => loadSweep(file),
    /at "arms\[1\]\.terms\[0\]\.method": expected one of output-kd, .*, dist, found "feature-sine"/,
  )
})
