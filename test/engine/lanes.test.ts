import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { supportsPrecision, THREADS } from '../../lib/engine'
import type { Ends } from '../../lib/engine/delay'
import { concatenation, integers } from '../../lib/engine/graphdef'
import { inLanes } from '../../lib/engine/lanes'
import { attribute, DTYPE } from '../../lib/engine/native'
import type { GraphNode } from '../../lib/engine/recorder'
import { node } from './node'

const LOADER = join(__dirname, '../../lib/engine/loader.cjs')
const NETWORK = join(__dirname, 'lanes-process.ts')

const measuredSchema = z.object({
  threads: z.number(),
  lanes: z.number(),
  differences: z.record(z.object({ distance: z.number(), length: z.number() })),
})

function start(threads: string, precision: string) {
  const environment = { ...process.env, [THREADS]: threads, CUDA_VISIBLE_DEVICES: '' }
  const command = ['--require', LOADER, NETWORK, precision]
  return spawnSync(process.execPath, command, { encoding: 'utf8', env: environment })
}

function measured(threads: number, precision: string) {
  const { stdout, stderr } = start(String(threads), precision)
  assert.match(stdout, /^{/, stderr)
  return measuredSchema.parse(JSON.parse(stdout))
}

test('two threads are two lanes; in float32 they come to the values of operations one by one, but for rounding', () => {
  const { threads, lanes, differences } = measured(2, 'float32')
  assert.deepEqual({ threads, lanes }, { threads: 2, lanes: 2 })
  assert.ok(Object.keys(differences).length > 25)
  for (const [name, { distance, length }] of Object.entries(differences))
    assert.ok(distance <= 2e-5 * length + 1e-7, `${name}: ${distance} of ${length}`)
})

const supported = supportsPrecision('bfloat16')
test(
  'in bfloat16 lanes are as far from float32 as one thread is',
  { skip: supported !== true && supported },
  () => {
    const [one, two] = [measured(1, 'bfloat16'), measured(2, 'bfloat16')]
    assert.deepEqual([one.lanes, two.lanes], [1, 2])
    for (const [name, { distance }] of Object.entries(two.differences)) {
      const without = one.differences[name]!.distance
      assert.ok(distance <= 1.25 * without + 1e-7, `${name}: ${distance}, without lanes ${without}`)
    }
  },
)

test('one thread and more than two are no lanes', () => {
  for (const threads of [1, 3]) {
    const found = measured(threads, 'float32')
    assert.deepEqual([found.threads, found.lanes], [threads, 1])
  }
})

test('a number of threads that is none is refused', () => {
  assert.match(start('two', 'float32').stderr, /WORKBOOK_THREADS: expected a number of threads, found "two"/)
})

const BATCH = [4, 96, 64, 16]
const KERNEL = [3, 3, 16, 16]
const VECTOR = [16]
const at = (name: string, index = 0) => ({ node: name, index })

/** A node whose inputs have types of their own, and indices where `name:index` is said. */
function typed(
  name: string,
  operation: string,
  inputs: readonly (readonly [from: string, shape: readonly number[]])[],
  attributes: GraphNode['attributes'] = [attribute.type('T', 'float32')],
): GraphNode {
  return {
    ...{ name, operation, attributes },
    inputs: inputs.map(([from]) => at(from.split(':')[0]!, Number(from.split(':')[1] ?? 0))),
    inputTypes: inputs.map(([, shape]) => ({ dtype: DTYPE.float32, shape })),
  }
}

const BATCH_NORM = [
  attribute.type('T', 'float32'),
  attribute.float('epsilon', 1e-5),
  attribute.bool('is_training', true),
]

/** Two layers with batch norm between them, a loss of the whole batch, and back to both kernels; `batch` images. */
function network(batch: readonly number[] = BATCH): GraphNode[] {
  return [
    integers('size', batch),
    integers('kernel', KERNEL),
    typed('a', 'Conv2D', [
      ['x', batch],
      ['w1', KERNEL],
    ]),
    typed(
      'b',
      'FusedBatchNormV3',
      [
        ['a', batch],
        ['gamma', VECTOR],
        ['beta', VECTOR],
        ['none', [0]],
        ['none', [0]],
      ],
      BATCH_NORM,
    ),
    typed('c', 'LeakyRelu', [['b', batch]]),
    typed('y', 'Conv2D', [
      ['c', batch],
      ['w2', KERNEL],
    ]),
    typed('mean', 'Mul', [
      ['b:1', VECTOR],
      ['rate', []],
    ]),
    typed('dy', 'Square', [['y', batch]]),
    typed('dc', 'Conv2DBackpropInput', [
      ['size', [4]],
      ['w2', KERNEL],
      ['dy', batch],
    ]),
    typed('dw2', 'Conv2DBackpropFilter', [
      ['c', batch],
      ['kernel', [4]],
      ['dy', batch],
    ]),
    typed('db', 'LeakyReluGrad', [
      ['dc', batch],
      ['b', batch],
    ]),
    typed(
      'da',
      'FusedBatchNormGradV3',
      [
        ['db', batch],
        ['a', batch],
        ['gamma', VECTOR],
        ['b:3', VECTOR],
        ['b:4', VECTOR],
        ['b:5', [0]],
      ],
      BATCH_NORM,
    ),
    typed('dw1', 'Conv2DBackpropFilter', [
      ['x', batch],
      ['kernel', [4]],
      ['da', batch],
    ]),
  ]
}

const ENDS: Ends = {
  inputs: new Set(['x']),
  state: new Set(['w1', 'w2', 'gamma', 'beta']),
  outputs: new Set(['mean', 'dw1', 'dw2']),
}

/** The graph in lanes, by name; every node comes behind its inputs. */
function laidOut(nodes: readonly GraphNode[], outputs = ENDS.outputs, lanes = 2) {
  const result = inLanes(nodes, lanes, { ...ENDS, outputs })
  const names = result.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
  const given = new Set(['x', 'w1', 'w2', 'gamma', 'beta', 'none', 'rate'])
  for (const [place, { name, inputs, after = [] }] of result.entries())
    for (const from of [...inputs.map((input) => input.node), ...after])
      assert.ok(given.has(from) || names.slice(0, place).includes(from), `${name}: ${from} comes first`)
  for (const output of outputs) assert.ok(names.includes(output), output)
  return new Map(result.map((each) => [each.name, each]))
}

const inputsOf = (nodes: ReadonlyMap<string, GraphNode>, name: string) =>
  nodes.get(name)?.inputs.map((input) => (input.index === 0 ? input.node : `${input.node}:${input.index}`))

test('a batch is cut where it enters and stays in pieces up to what takes it as a whole, and on the way back', () => {
  const nodes = laidOut(network())
  const operations = [...nodes.values()].map(({ operation }) => operation)
  for (const lane of [0, 1]) {
    const image = lane === 0 ? 'x/0/pieces' : `x/0/pieces:${lane}`
    assert.deepEqual(inputsOf(nodes, `a/${lane}`), [image, 'w1'])
    assert.deepEqual(inputsOf(nodes, `b/${lane}`), [`a/${lane}`, 'gamma', 'beta', 'b/mean', 'b/variance'])
    assert.deepEqual(inputsOf(nodes, `c/${lane}`), [`b/${lane}`])
    assert.deepEqual(inputsOf(nodes, `db/${lane}`), [`dc/${lane}`, `b/${lane}`])
    assert.deepEqual(inputsOf(nodes, `dw1/${lane}`), [image, 'kernel', `da/${lane}`])
    assert.deepEqual(nodes.get(`a/${lane}`)!.inputTypes![0]!.shape, [2, 96, 64, 16])
    const { bytes } = nodes.get('dc/size')!.constant!
    assert.deepEqual([...new Int32Array(bytes.buffer)], [2, 96, 64, 16])
  }
  assert.deepEqual(inputsOf(nodes, 'dy'), ['y/0/whole'])
  assert.deepEqual(inputsOf(nodes, 'mean'), ['b/mean', 'rate'])
  assert.deepEqual(inputsOf(nodes, 'dw1'), ['dw1/0', 'dw1/1'])
  // The images and the loss's gradient are cut, and what the loss is computed of is joined: nothing else.
  assert.equal(operations.filter((operation) => operation === 'SplitV').length, 2)
  assert.equal(operations.filter((operation) => operation === 'ConcatV2').length, 1)
})

test("a small layer's kernel gradient is not worth being cut: its images are joined for it", () => {
  const nodes = laidOut(network([4, 8, 8, 16]))
  assert.deepEqual(inputsOf(nodes, 'dw2'), ['c/0/whole', 'kernel', 'dy'])
  assert.ok(nodes.has('c/0') && !nodes.has('dw2/0'))
})

test('summands are widened before they are summed', () => {
  const cast = typed('wide', 'Cast', [['dw1', KERNEL]], [attribute.type('DstT', 'float32')])
  const nodes = laidOut([...network(), cast], new Set(['wide']))
  assert.deepEqual(inputsOf(nodes, 'wide'), ['wide/0', 'wide/1'])
  assert.deepEqual(inputsOf(nodes, 'wide/0'), ['dw1/0'])
  assert.ok(!nodes.has('dw1'))
})

test('what waited for a node waits for all that run in its stead', () => {
  const waiting = { ...typed('late', 'Square', [['w1', KERNEL]]), after: ['db', 'dy'] }
  assert.deepEqual(laidOut([...network(), waiting]).get('late')!.after, ['db/0', 'db/1', 'dy'])
})

test('an image that is returned comes whole, under its own name', () => {
  const nodes = laidOut(network(), new Set(['c', 'dw1']))
  assert.deepEqual(inputsOf(nodes, 'c'), ['c/0', 'c/1', 'lanes/axis'])
  assert.deepEqual(inputsOf(nodes, 'y/0'), ['c/0', 'w2'])
})

test('statistics that are returned as they are keep their batch norm whole', () => {
  assert.deepEqual(inputsOf(laidOut(network(), new Set(['b', 'dw1'])), 'b')?.[0], 'a/0/whole')
})

test('a batch that cannot be cut evenly stays as it is, and so does every graph without lanes', () => {
  const odd = network([3, 96, 64, 16])
  const names = (nodes: readonly GraphNode[]) => nodes.map(({ name }) => name)
  assert.deepEqual(
    names(inLanes(odd, 2, ENDS)).filter((name) => name !== 'lanes/axis'),
    names(odd),
  )
  const even = network()
  assert.equal(inLanes(even, 1, ENDS), even)
})

test('images are joined or cut along channels in pieces, and along the batch as a whole', () => {
  const joined = (axis: number) => {
    const images = [at('a'), at('c')]
    const shape = { dtype: DTYPE.float32, shape: BATCH }
    const both = {
      ...concatenation('both', images, at('axis')),
      inputTypes: [shape, shape, { dtype: DTYPE.int32, shape: [] }],
    }
    const nodes = laidOut([...network(), integers('axis', axis), both, node('end', 'Square', ['both'])])
    return [inputsOf(nodes, 'both/0'), inputsOf(nodes, 'both')]
  }
  assert.deepEqual(joined(3), [['a/0', 'c/0', 'axis'], undefined])
  assert.deepEqual(joined(0), [undefined, ['a/0/whole', 'c/0/whole', 'axis']])
})
