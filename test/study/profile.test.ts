import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { darknet21, scaledWidths } from '../../lib/detector'
import { loadProfile, profileNames, readProfile } from '../../lib/study'
import { temporary } from '../train/tiny'

const folder = temporary()
const SMOKE = join(__dirname, '../../lib/study/profiles/smoke.yaml')

type Node = { [key: string]: unknown }

/** The smoke profile as a file of the user's own, with one change. */
function edited(change: (profile: Node) => void): string {
  const profile = parse(readFileSync(SMOKE, 'utf8')) as Node
  change(profile)
  const file = join(folder, `${Math.random()}.yaml`)
  writeFileSync(file, stringify(profile))
  return file
}

/** The part of a document under some keys. */
function at(node: Node, ...keys: string[]): Node {
  return keys.reduce((part, key) => part[key] as Node, node)
}

test('the profiles that come with the workbook are valid, and their files carry their names', () => {
  assert.deepEqual(profileNames().sort(), ['default', 'narrow', 'paper', 'smoke'])
  for (const name of profileNames()) {
    const profile = loadProfile(name)
    assert.equal(profile.name, name)
    assert.equal(profile.methods.length, 5)
    const { input, width, upsample, spp, anchors } = profile.detector
    const fixed = anchors === 'k-means' ? undefined : { anchors }
    const { backbone, neck } = scaledWidths(width)
    darknet21(backbone, { neck, input, upsample, spp, ...fixed })
    for (const method of profile.ablations.lambda.methods)
      assert.ok(
        profile.methods.some((term) => term.method === method),
        `${name}: ${method}`,
      )
  }
})

test('keys that a profile leaves out take the defaults', () => {
  const { recipe, detector } = loadProfile('smoke')
  assert.equal(recipe.augment.flip, 0.5)
  assert.equal(recipe.augment.photometric, false)
  assert.equal(recipe.assign.ignoreThreshold, 0.7)
  assert.equal(recipe.loss.smoothing, 0.01)
  assert.equal(detector.upsample, 'deconv')
})

test("the published profile has the published run's numbers", () => {
  const { detector, recipe, methods, stages } = loadProfile('paper')
  assert.deepEqual(detector.input, [192, 512])
  assert.equal(detector.width, 1)
  assert.deepEqual([recipe.batch, recipe.schedule, recipe.loss.normalise], [64, 'poly', 'sum'])
  assert.deepEqual([recipe.sgd.momentum, recipe.sgd.weightDecay, recipe.sgd.clip], [0.9, 5e-4, 35])
  assert.equal(stages.teacher.rate, 1e-3)
  assert.equal(stages.sparse.strength, 1e-3)
  assert.deepEqual(
    methods.map(({ method, weight }) => [method, weight]),
    [
      ['output-kd', 10],
      ['class-kd', 1],
      ['masked-class-kd', 1],
      ['objectness-mse', 10],
      ['feature-mse', 2],
    ],
  )
})

test("a YAML file of the user's own is read", () => {
  const file = edited((profile) => {
    profile.name = 'mine'
  })
  assert.equal(loadProfile(file).name, 'mine')
})

describe('mistakes are named by file and key', () => {
  const wrong: readonly [string, (profile: Node) => void, RegExp][] = [
    [
      'an unknown key',
      (p) => Object.assign(at(p, 'recipe', 'sgd'), { nesterov: true }),
      /"recipe\.sgd\.nesterov": unknown key/,
    ],
    ['an unknown key at the top', (p) => Object.assign(p, { epochs: 3 }), /"epochs": unknown key/],
    [
      'text for a number',
      (p) => Object.assign(at(p, 'recipe'), { batch: 'eight' }),
      /"recipe\.batch": expected a number, found "eight"/,
    ],
    [
      'a missing stage',
      (p) => delete at(p, 'stages').sparse,
      /"stages\.sparse": expected an object, found nothing/,
    ],
    [
      'half a step',
      (p) => Object.assign(at(p, 'stages', 'teacher'), { steps: 0.5 }),
      /"stages\.teacher\.steps": expected a whole number, found 0\.5/,
    ],
    [
      'an unknown method',
      (p) => Object.assign(at(p, 'methods', '1'), { method: 'magic' }),
      /"methods\[1\]\.method": expected one of output-kd.*, found "magic"/,
    ],
    [
      'a negative ratio',
      (p) => Object.assign(at(p, 'methods', '0'), { weight: { ratio: -1 } }),
      /"methods\[0\]\.weight.*found -1/,
    ],
    ['no seeds', (p) => Object.assign(p, { seeds: [] }), /"seeds": expected at least 1 entry, found \[\]/],
  ]
  for (const [what, change, message] of wrong) {
    test(what, () => {
      const file = edited(change)
      assert.throws(
        () => loadProfile(file),
        (error: Error) => {
          assert.ok(error.message.startsWith(`${file}: expected a valid profile: at `), error.message)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  test('several mistakes at once', () => {
    const file = edited((profile) => Object.assign(profile, { workers: 0, seeds: ['a'] }))
    assert.throws(() => loadProfile(file), /"seeds\[0\]": .*\n.*"workers": /)
  })

  test('no YAML', () => {
    const file = join(folder, 'broken.yaml')
    writeFileSync(file, 'name: [a\nb: }')
    assert.throws(
      () => loadProfile(file),
      (error: Error) =>
        error.message.startsWith(`${file}: expected YAML, found: `) && /line \d/.test(error.message),
    )
  })

  test('missing profiles', () => {
    assert.throws(
      () => loadProfile('large'),
      /profile large: expected one of .*default.*smoke.* or a \.yaml file/,
    )
    assert.throws(() => loadProfile('/nowhere/mine.yaml'), /profile \/nowhere\/mine\.yaml: expected one of/)
  })
})

test('a profile says what it extends and what differs, and --set comes on top of it', () => {
  const file = join(folder, 'mine.yaml')
  writeFileSync(file, 'extends: smoke\nname: mine\nstages: { distill: { steps: 7 } }\n')
  const { profile, changes } = readProfile(file, ['stages.distill.rate=0.5'])
  assert.deepEqual(profile.stages.distill, { steps: 7, rate: 0.5 })
  assert.deepEqual(
    {
      ...profile,
      name: 'smoke',
      stages: { ...profile.stages, distill: loadProfile('smoke').stages.distill },
    },
    loadProfile('smoke'),
  )
  assert.deepEqual(
    changes.map(({ key }) => key),
    ['name', 'stages.distill.steps', 'stages.distill.rate'],
  )
  assert.throws(
    () => loadProfile('smoke', ['stages.distil.steps=7']),
    /smoke\.yaml --set stages\.distil\.steps=7: expected a valid profile: at "stages\.distil": unknown key/,
  )
  writeFileSync(file, 'extends: smok\n')
  assert.throws(
    () => loadProfile(file),
    /profile smok: expected one of .*smoke.* or a \.yaml file, found neither/,
  )
})

test('a profile prunes to exactly one budget, and says where and how', () => {
  const { prune } = loadProfile('smoke', [
    'stages.prune.macs=null',
    'stages.prune.parameters=0.5',
    'stages.prune.prunable=all',
    'stages.prune.blocks=1',
  ]).stages
  assert.deepEqual([prune.parameters, prune.prunable, prune.blocks], [0.5, 'all', 1])
  assert.throws(
    () => loadProfile('smoke', ['stages.prune.milliseconds=2']),
    /at "stages\.prune": expected one of macs, parameters and milliseconds, found macs and milliseconds/,
  )
})
