import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  describedDependencies,
  namedDependencies,
  otherLicences,
  readAudit,
  unpinnedPython,
  unsealedPackages,
} from './supply'

test('the lock file has a hash of every package and the name of no host', () => {
  assert.deepEqual(unsealedPackages(), [])
})

test('every package comes under a licence that is allowed', () => {
  assert.deepEqual(otherLicences(), [])
})

test('Python packages are pinned to a version each', () => {
  assert.deepEqual(unpinnedPython(), [])
})

test('DEPENDENCIES.md says of every dependency, and of nothing else, why it is here', () => {
  const rows = describedDependencies()
  assert.deepEqual(rows.map(({ name, version }) => `${name} ${version}`).sort(), namedDependencies().sort())
  for (const { name, licence, reason } of rows) assert.ok(licence !== '' && reason.length > 4, name)
})

test('versions of npm packages are exact', () => {
  const loose = namedDependencies().filter((line) => !/ (\d+(\.\d+)+|file:[\w/-]+)$/.test(line))
  assert.deepEqual(loose, [])
})

test('an audit is read, or said to have had no answer', () => {
  const vulnerabilities = {
    a: { name: 'a', severity: 'high', range: '<1.2.3' },
    b: { name: 'b', severity: 'low', range: '*' },
  }
  const counts = { info: 0, low: 1, moderate: 0, high: 1, critical: 0, total: 2 }
  assert.deepEqual(readAudit(JSON.stringify({ vulnerabilities, metadata: { vulnerabilities: counts } })), {
    answered: true,
    total: 2,
    serious: ['a <1.2.3: high'],
  })
  const refused = { message: '405 Method Not Allowed - POST https://registry.example/-/npm/v1/security' }
  assert.deepEqual(readAudit(JSON.stringify(refused)), {
    answered: false,
    reason: '405 Method Not Allowed - POST registry/-/npm/v1/security',
  })
  assert.equal(readAudit('').answered, false)
})
