import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import type { DetectorOutput } from '../../lib/detector/types'
import { tf } from '../../lib/engine'
import {
  adaptersNeeded,
  createAdapters,
  type DistillationOptions,
  distillationLoss,
  METHODS,
  type MethodName,
  methodWeights,
  PUBLISHED,
  scheduleFactor,
} from '../../lib/losses'
import oracle from './oracle/distill.json'
import { assertClose, unpack } from './support'

const anchor: [number, number] = [8, 8]
const config = {
  classes: oracle.classes,
  anchors: [0, 1, 2].map(() => [anchor, anchor, anchor]),
}

type Shape4 = [number, number, number, number]
const tensors = (stored: { shape: number[]; data: string }[]) =>
  stored.map(({ shape, data }) => tf.tensor4d(unpack(data), shape as Shape4))

/** A detector's output with the given logits, or features, and nothing else. */
const outputs = (logits: readonly tf.Tensor[]): DetectorOutput => ({
  outputs: logits as tf.Tensor4D[],
  features: [],
})
const features = (maps: readonly tf.Tensor[]): DetectorOutput => ({
  outputs: [],
  features: maps as tf.Tensor4D[],
})

const names = Object.keys(METHODS) as MethodName[]
const data = oracle.data as {
  [name: string]: {
    student: { shape: number[]; data: string }[]
    teacher: { shape: number[]; data: string }[]
  }
}

test('values and gradients equal the float64 oracle', () => {
  assert.equal(oracle.cases.length, 22)
  for (const { data: source, method, options, terms, gradients } of oracle.cases) {
    tf.tidy(() => {
      const name = `${method} on ${source} ${JSON.stringify(options)}`
      const student = tensors(data[source]!.student)
      const teacher = outputs(tensors(data[source]!.teacher))
      const loss = (...logits: tf.Tensor[]) =>
        METHODS[method as MethodName](outputs(logits), teacher, config, options as DistillationOptions)
      const found = loss(...student)
      assert.deepEqual(Object.keys(found.terms), Object.keys(terms), name)
      for (const [term, value] of Object.entries(terms)) {
        assertClose(found.terms[term]!.dataSync(), [value as number], `${name} ${term}`)
      }
      const { value, grads } = tf.valueAndGrads((...logits) => loss(...logits).total)(student)
      const total = Object.values(terms).reduce((sum: number, term) => sum + (term as number), 0)
      assertClose(value.dataSync(), [total], `${name} total`)
      for (const [s, gradient] of grads.entries()) {
        assertClose(gradient.dataSync(), unpack(gradients[s]!), `${name} gradient ${s}`)
      }
    })
  }
})

test('feature-mse with an adapter equals the oracle, the gradient of the adapter included', () => {
  tf.tidy(() => {
    const expected = oracle.features
    const teacher = features(tensors(expected.teacher))
    const kernel = tf.tensor4d(unpack(expected.adapter), [1, 1, 2, 3])
    const loss = (...x: tf.Tensor[]) =>
      METHODS['feature-mse'](features(x.slice(0, 3)), teacher, config, {
        adapters: [undefined, x[3] as tf.Tensor4D, undefined],
      })
    const inputs = [...tensors(expected.student), kernel]
    for (const [name, term] of Object.entries(loss(...inputs).terms)) {
      assertClose(term.dataSync(), [expected.terms[name as 'stride32']], name)
    }
    const grads = tf.grads((...x) => loss(...x).total)(inputs)
    for (const [i, packed] of [...expected.gradients, expected.adapterGradient].entries()) {
      assertClose(grads[i]!.dataSync(), unpack(packed), `gradient ${i}`)
    }
  })
})

/** One scale of one cell and one anchor with two classes: tx ty tw th obj class class. */
function cell(method: MethodName, student: number[], teacher: number[], options: DistillationOptions = {}) {
  return tf.tidy(() => {
    const one = (logits: number[]) => outputs([tf.tensor4d(logits, [1, 1, 1, 7])])
    const single = { classes: 2, anchors: [[anchor]] }
    const { terms, total } = METHODS[method](one(student), one(teacher), single, options)
    const values = Object.entries(terms).map(([name, term]) => [name, term.dataSync()[0]!] as const)
    return { ...Object.fromEntries(values), total: total.dataSync()[0]! } as { [name: string]: number }
  })
}

// softmax(log 3, 0) = (3/4, 1/4), softmax(0, 0) = (1/2, 1/2): KL = 3/4 log(3/2) + 1/4 log(1/2) = 0.130812, over the two
// classes. With T = 2: softmax(log(3) / 2, 0) = (0.633975, 0.366025), KL = 0.0363404.
test('class divergences by hand', () => {
  const student = [1, 2, 3, 4, 5, 0, 0]
  const teacher = [0, 0, 0, 0, Math.log(1 / 3), Math.log(3), 0] // objectness 0.25
  const kl = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5)
  assertClose([cell('class-kd', student, teacher).total!], [kl / 2], 'class-kd')
  assertClose([cell('masked-class-kd', student, teacher).total!], [kl], 'masked-class-kd')
  assertClose([cell('masked-class-kd', student, teacher, { threshold: 0.24 }).total!], [kl], 'below')
  assert.equal(cell('masked-class-kd', student, teacher, { threshold: 0.26 }).total, 0)
  const p = Math.sqrt(3) / (Math.sqrt(3) + 1)
  const soft = p * Math.log(2 * p) + (1 - p) * Math.log(2 * (1 - p))
  assertClose([soft], [0.0363404], 'the number above')
  assertClose([cell('class-kd', student, teacher, { temperature: 2 }).total!], [soft / 2], 'T = 2')
  const squared = { temperature: 2, scaleByTemperatureSquared: true }
  assertClose([cell('class-kd', student, teacher, squared).total!], [2 * soft], 'T = 2, times T^2')
})

// The threshold is met by equality: sigmoid(0) = 0.5.
test('a cell exactly at the threshold passes', () => {
  const teacher = [0, 0, 0, 0, 0, Math.log(3), 0]
  assert.ok(cell('masked-class-kd', new Array(7).fill(0), teacher, { threshold: 0.5 }).total! > 0.1)
})

// Differences: box 1, 1, 1, 3; objectness 2; class 1, 2. Teacher objectness 0, sigmoid 1/2.
test('objectness-mse by hand', () => {
  const student = [1, -1, 1, 3, 2, 1, -2]
  const teacher = new Array(7).fill(0)
  const mse = cell('objectness-mse', student, teacher)
  assertClose([mse.box!, mse.objectness!, mse.class!], [0.5 * (12 / 4), 0.5 * 4, 0.5 * (5 / 2)], 'mse')
  const paper = cell('objectness-mse', student, teacher, { variant: 'paper' })
  assertClose([paper.box!, paper.objectness!, paper.class!], [1.5, 4, 1.25], 'paper')
  // BCE(x, 1/2) = log(1 + e^x) - x / 2, the same for -x; L1 of wh 1 + 3; the hard mask of 0 is 0.
  const half = (x: number) => Math.log1p(Math.exp(x)) - x / 2
  const paddle = cell('objectness-mse', student, teacher, { variant: 'paddle' })
  assertClose(
    [paddle.box!, paddle.objectness!, paddle.class!],
    [(0.5 * (2 * half(1) + 4)) / 4, Math.log1p(Math.exp(2)), (0.5 * (half(1) + half(2))) / 2],
    'paddle',
  )
})

test('masked-class-kd is `classes` times class-kd where all cells pass, and nothing with gradient 0 where none does', () => {
  tf.tidy(() => {
    const student = tensors(data.two!.student)
    const teacher = outputs(tensors(data.two!.teacher))
    const plain = METHODS['class-kd'](outputs(student), teacher, config).total.dataSync()[0]!
    const all = METHODS['masked-class-kd'](outputs(student), teacher, config, {
      threshold: 0,
    }).total.dataSync()
    assertClose(all, [plain * oracle.classes], 'all')
    const none = (...x: tf.Tensor[]) =>
      METHODS['masked-class-kd'](outputs(x), teacher, config, { threshold: 1.1 }).total
    const { value, grads } = tf.valueAndGrads(none)(student)
    assert.equal(value.dataSync()[0], 0)
    for (const gradient of grads) assert.ok(gradient.dataSync().every((v) => v === 0))
  })
})

/** Student and teacher with both logits and features, made of the given tensors. */
const both = (x: readonly tf.Tensor[]): DetectorOutput => ({
  outputs: x.slice(0, 3) as tf.Tensor4D[],
  features: x.slice(3) as tf.Tensor4D[],
})

test('every method is 0 with gradient 0 for a student that equals its teacher', () => {
  tf.tidy(() => {
    const same = [...tensors(data.one!.teacher), ...tensors(oracle.features.teacher)]
    for (const method of names) {
      for (const variant of ['mse', 'paper'] as const) {
        const loss = (...x: tf.Tensor[]) => METHODS[method](both(x), both(same), config, { variant }).total
        const used = method === 'feature-mse' ? same.slice(3) : same.slice(0, 3)
        const rest = method === 'feature-mse' ? same.slice(0, 3) : same.slice(3)
        const f = (...x: tf.Tensor[]) =>
          loss(...(method === 'feature-mse' ? [...rest, ...x] : [...x, ...rest]))
        const { value, grads } = tf.valueAndGrads(f)(used)
        assert.ok(Math.abs(value.dataSync()[0]!) < 1e-7, method)
        for (const gradient of grads)
          assert.ok(
            gradient.dataSync().every((v) => Math.abs(v) < 1e-8),
            method,
          )
      }
    }
  })
})

test('no finite logit gives NaN, in the value or the gradient', () => {
  const largest = 3.4e38
  const sizes = [80, 1e10, 1e20, largest]
  tf.tidy(() => {
    const draw = (value: (i: number) => number) =>
      [2, 1, 1].map((side) =>
        tf.tensor4d(
          Float32Array.from({ length: side * 24 }, (_, i) => value(i)),
          [1, 1, side, 24],
        ),
      )
    for (const size of sizes) {
      const alternate = (i: number) => (i % 2 === 0 ? size : -size)
      // Every sign of the student meets every sign of the teacher, and every sign of its objectness (channel 4).
      for (const other of [alternate, (i: number) => -alternate(i), (i: number) => (i % 3 ? -size : size)]) {
        const [student, teacher] = [draw(alternate), outputs(draw(other))]
        for (const method of names.filter((name) => name !== 'feature-mse')) {
          for (const options of [
            { variant: 'mse', temperature: 0.25 },
            { variant: 'paper', temperature: 4 },
            { variant: 'paddle', threshold: 0 },
          ] as const) {
            const { value, grads } = tf.valueAndGrads(
              (...x) => METHODS[method](outputs(x), teacher, config, options).total,
            )(student)
            const found = [value, ...grads].flatMap((tensor) => [...tensor.dataSync()])
            assert.ok(
              found.every((v) => !Number.isNaN(v)),
              `${method} ${JSON.stringify(options)} at ${size}: ${found}`,
            )
          }
        }
      }
    }
  })
})

test('one class: its softmax says nothing, the other groups do', () => {
  const one = (method: MethodName) =>
    tf.tidy(() => {
      const single = { classes: 1, anchors: [[anchor]] }
      const of = (logits: number[]) => outputs([tf.tensor4d(logits, [1, 1, 1, 6])])
      const { terms } = METHODS[method](of([1, -1, 1, 3, 2, 5]), of([0, 0, 0, 0, 0, 3]), single)
      return Object.values(terms).map((term) => term.dataSync()[0]!)
    })
  assert.deepEqual(one('class-kd'), [0])
  assert.deepEqual(one('masked-class-kd'), [0])
  // Box, objectness, class, halved by the teacher's objectness.
  assertClose(one('objectness-mse'), [0.5 * 3, 0.5 * 4, 0.5 * 4], 'objectness-mse')
})

test('no gradient flows into the teacher', () => {
  tf.tidy(() => {
    const student = [...tensors(data.two!.student), ...tensors(oracle.features.teacher)]
    const teacher = [
      ...tensors(data.two!.teacher),
      ...oracle.features.teacher.map(({ shape }) => tf.ones(shape)),
    ]
    for (const method of names) {
      for (const variant of ['mse', 'paper', 'paddle'] as const) {
        const f = () => METHODS[method](both(student), both(teacher), config, { variant }).total
        const { grads } = tf.engine().gradients(f, [...student, ...teacher], undefined, true)
        const size = (i: number) => (grads[i] ? tf.sum(tf.abs(grads[i]!)).dataSync()[0]! : 0)
        const first = method === 'feature-mse' ? 3 : 0
        for (let s = first; s < first + 3; s++) assert.ok(size(s) > 0, `${method}: student ${s}`)
        for (let s = 0; s < 6; s++) assert.equal(size(6 + s), 0, `${method}: teacher ${s}`)
      }
    }
  })
})

test('a combination is the weighted sum of its methods, with numbers or scalars as weights', () => {
  tf.tidy(() => {
    const student = both([...tensors(data.one!.student), ...tensors(oracle.features.teacher)])
    const teacher = both([
      ...tensors(data.one!.teacher),
      ...oracle.features.teacher.map(({ shape }) => tf.ones(shape)),
    ])
    const alone = (method: MethodName, options: DistillationOptions = {}) =>
      METHODS[method](student, teacher, config, options).total.dataSync()[0]!
    for (const method of names) {
      const published = distillationLoss(student, teacher, config, { methods: [{ method }] })
      assertClose(published.total.dataSync(), [PUBLISHED[method].weight * alone(method)], method)
    }
    const methods = [
      { method: 'class-kd', weight: 0.5, temperature: 2 },
      { method: 'feature-mse' },
      { method: 'objectness-mse', weight: 3, variant: 'paddle' },
    ] as const
    const parts = [
      alone('class-kd', { temperature: 2 }),
      alone('feature-mse'),
      alone('objectness-mse', { variant: 'paddle' }),
    ]
    const weighted = (weights: number[]) => parts.reduce((sum, part, i) => sum + part * weights[i]!, 0)
    const { total, terms } = distillationLoss(student, teacher, config, { methods })
    assertClose(total.dataSync(), [weighted([0.5, 2, 3])], 'lambda')
    const sum = Object.values(terms).reduce((value, term) => value + term.dataSync()[0]!, 0)
    assertClose([sum], total.dataSync(), 'terms')
    assert.ok('class-kd/stride16' in terms && 'objectness-mse/box' in terms)
    const weights = [tf.scalar(0), 4, tf.scalar(2)]
    assertClose(
      distillationLoss(student, teacher, config, { methods, weights }).total.dataSync(),
      [weighted([0, 4, 2])],
      'weights',
    )
    // At step 12 the first is off, the second at a quarter of lambda 2, the third has no schedule.
    const scheduled = [
      { ...methods[0], schedule: { stop: 12 } },
      { ...methods[1], schedule: { start: 10, ramp: 8 } },
      methods[2],
    ]
    assertClose(
      distillationLoss(student, teacher, config, { methods: scheduled, step: 12 }).total.dataSync(),
      [weighted([0, 0.5, 3])],
      'schedules',
    )
    assert.throws(
      () => distillationLoss(student, teacher, config, { methods: scheduled }),
      /"class-kd" has a schedule: expected the step, or weights from methodWeights, found neither/,
    )
  })
})

test('schedules and weights', () => {
  const schedule = { start: 10, stop: 30, ramp: 4 }
  const steps = [0, 9, 10, 11, 12, 14, 29, 30, 31]
  assert.deepEqual(
    steps.map((step) => scheduleFactor(step, schedule)),
    [0, 0, 0, 0.25, 0.5, 1, 1, 0, 0],
  )
  assert.equal(scheduleFactor(0), 1)
  assert.equal(scheduleFactor(10, { start: 10 }), 1)
  const methods = [
    { method: 'output-kd', schedule },
    { method: 'masked-class-kd', weight: 6 },
  ] as const
  assert.deepEqual(methodWeights(methods, 12), [5, 6])
})

test('the published weights and options', () => {
  assert.deepEqual(
    names.map((name) => PUBLISHED[name].weight),
    [10, 1, 1, 10, 2],
  )
  assert.equal(PUBLISHED['masked-class-kd'].threshold, 0.05)
})

test('adapters where widths differ', () => {
  assert.deepEqual(adaptersNeeded([512, 200, 128], [512, 256, 128]), [false, true, false])
  assert.throws(() => adaptersNeeded([512], [512, 256]), /as many feature maps/)
  const adapters = createAdapters([512, 200, 128], [512, 256, 128], new Random('adapters', 1))
  assert.equal(adapters[0], undefined)
  assert.deepEqual(adapters[1]!.shape, [1, 1, 200, 256])
  const values = adapters[1]!.dataSync<'float32'>()
  const variance = values.reduce((sum, v) => sum + v * v, 0) / values.length
  assert.ok(Math.abs(variance * 200 - 1) < 0.05, `variance ${variance}`)
  adapters[1]!.dispose()
})

test('what does not fit is an error that says so', () => {
  tf.tidy(() => {
    const student = outputs(tensors(data.two!.student))
    const teacher = outputs(tensors(data.one!.teacher))
    for (const method of names.filter((name) => name !== 'feature-mse')) {
      assert.throws(
        () => METHODS[method](student, teacher, config),
        /student \[2,5,3,24\] and teacher \[1,5,3,24\]/,
      )
      assert.throws(() => METHODS[method](student, student, { ...config, classes: 4 }), /n, h, w, 27/)
      const fewer = outputs(student.outputs.slice(1))
      assert.throws(() => METHODS[method](fewer, student, config), /logits of 3 scales, found 2 and 3/)
      assert.throws(() => METHODS[method](student, fewer, config), /logits of 3 scales, found 3 and 2/)
    }
    const { student: narrow, teacher: wide } = oracle.features
    assert.throws(
      () => METHODS['feature-mse'](features(tensors(narrow)), features(tensors(wide)), config),
      /stride16: .*\[2,3,4,3\].*\[2,3,4,2\] without an adapter/,
    )
    assert.throws(() => METHODS['feature-mse'](features([]), features([]), config), /features of 1 scales/)
    assert.throws(
      () => METHODS['masked-class-kd'](student, student, config, { threshold: Number.NaN }),
      /threshold of 0 to 1, found NaN/,
    )
    assert.throws(
      () => METHODS['class-kd'](student, student, config, { temperature: 0 }),
      /temperature above 0/,
    )
    const combine = (methods: { method: MethodName }[], weights?: number[]) =>
      distillationLoss(student, student, config, { methods, ...(weights && { weights }) })
    assert.throws(() => combine([]), /at least one/)
    assert.throws(
      () => combine([{ method: 'hints' as MethodName }]),
      /unknown distillation method "hints"; there are/,
    )
    assert.throws(() => combine([{ method: 'toString' as MethodName }]), /unknown distillation method/)
    assert.throws(() => combine([{ method: 'class-kd' }, { method: 'class-kd' }]), /listed twice/)
    assert.throws(() => combine([{ method: 'class-kd' }], [1, 2]), /a weight for each of 1 methods, found 2/)
  })
})

test('losses and gradients leave no tensors behind', () => {
  const student = [...tensors(data.one!.student), ...tensors(oracle.features.teacher)]
  const teacher = both([...tensors(data.one!.teacher), ...tensors(oracle.features.teacher)])
  const run = () => {
    const methods = names.map((method) => ({ method }))
    const { value, grads } = tf.valueAndGrads(
      (...x) => distillationLoss(both(x), teacher, config, { methods }).total,
    )(student)
    tf.dispose([value, ...grads])
  }
  run()
  const before = tf.memory().numTensors
  run()
  assert.equal(tf.memory().numTensors, before)
  tf.dispose([student, [...teacher.outputs], [...teacher.features]])
})
