import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joined, tf } from '../../lib/engine'
import { createSlots, globalNorm } from '../../lib/train'
import { sgdStep, slotGroups } from '../../lib/train/optimizer'
import { assertClose } from '../losses/support'
import oracle from './oracle/sgd.json'

type Flat = { readonly [name: string]: readonly number[] }
const shapes: { readonly [name: string]: number[] } = oracle.shapes
const variables = (values: Flat) =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, tf.variable(tf.tensor(values[name]!, shape))]))

test('five steps of SGD are those of PyTorch: momentum, decay of kernels alone, clipping by the norm of all', () => {
  const trained = variables(oracle.weights)
  const slots = createSlots(trained)
  const { momentum, weightDecay, clip } = oracle
  oracle.gradients.forEach((gradients: Flat, step) => {
    const expected = oracle.expected[step]!
    const norm = tf.tidy(() => {
      const groups = slotGroups(slots)
      const tensors = groups.map((group) =>
        joined(group.map(({ name }) => tf.tensor(gradients[name]!, shapes[name]!))),
      )
      const rate = tf.scalar(oracle.rates[step]!)
      return sgdStep(groups, tensors, rate, { momentum, weightDecay, clip }).dataSync()[0]!
    })
    assertClose([norm], [expected.norm], `norm at step ${step}`)
    for (const slot of slots) {
      const weights: Flat = expected.weights
      const momenta: Flat = expected.momentum
      assertClose(slot.variable.dataSync(), weights[slot.name]!, `${slot.name} after step ${step}`)
      assertClose(
        slot.momentum.dataSync(),
        momenta[slot.name]!,
        `momentum of ${slot.name} after step ${step}`,
      )
    }
  })
  // Both kinds of step occur.
  assert.ok(
    oracle.expected.some(({ norm }) => norm > clip) && oracle.expected.some(({ norm }) => norm < clip),
  )
})

test('only kernels decay', () => {
  const slots = createSlots(variables(oracle.weights))
  assert.deepEqual(
    slots.map(({ name, decayed }) => [name, decayed]),
    [
      ['a/kernel', true],
      ['a/gamma', false],
      ['b/kernel', true],
      ['b/bias', false],
    ],
  )
  assert.ok(slots.every(({ momentum }) => momentum.dataSync().every((value) => value === 0)))
})

test('globalNorm is the length of all gradients as one vector', () => {
  const norm = tf.tidy(() => globalNorm([tf.tensor([3, 0]), tf.tensor([[4], [12]])]).dataSync()[0])
  assert.equal(norm, 13)
})

test('a step leaves no tensors behind but its norm', () => {
  const groups = slotGroups(createSlots(variables(oracle.weights)))
  const gradients = groups.map((group) =>
    tf.tidy(() => joined(group.map((slot) => tf.onesLike(slot.variable)))),
  )
  const rate = tf.scalar(0.1)
  const before = tf.memory().numTensors
  for (let i = 0; i < 3; i++) {
    tf.tidy(() => void sgdStep(groups, gradients, rate, { momentum: 0.9, weightDecay: 5e-4, clip: 35 }))
  }
  assert.equal(tf.memory().numTensors, before)
})
