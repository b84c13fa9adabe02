import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DetectorOutput } from '../../lib/detector'
import { darknet21, headsOf } from '../../lib/detector'
import { tf } from '../../lib/engine'
import {
  createVariables,
  type DistillationOptions,
  distillationLoss,
  METHOD_NAMES,
  METHODS,
  type MethodName,
  methodNamed,
  methodWeights,
  PUBLISHED,
  scheduleFactor,
} from '../../lib/losses'
import oracle from './oracle/distill.json'
import { assertClose, unpack } from './support'

const anchor: [number, number] = [8, 8]
const config = {
  classes: oracle.classes,
  strides: [32, 16, 8],
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

/** The methods that compare outputs, and those that compare feature maps. */
const byOutputs = METHODS.filter(({ needs }) => needs.includes('outputs')).map(({ name }) => name)
const byFeatures = METHODS.filter(({ needs }) => needs.includes('features')).map(({ name }) => name)
const data = oracle.data as {
  [name: string]: {
    student: { shape: number[]; data: string }[]
    teacher: { shape: number[]; data: string }[]
  }
}

test('values and gradients equal the float64 oracle', () => {
  assert.deepEqual(new Set(oracle.cases.map(({ method }) => method)), new Set(byOutputs))
  for (const { data: source, method, options, terms, gradients } of oracle.cases) {
    tf.tidy(() => {
      const name = `${method} on ${source} ${JSON.stringify(options)}`
      const student = tensors(data[source]!.student)
      const teacher = outputs(tensors(data[source]!.teacher))
      const loss = (...logits: tf.Tensor[]) =>
        methodNamed(method as MethodName).loss(
          outputs(logits),
          teacher,
          config,
          options as DistillationOptions,
        )
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

test('methods of features with an adapter equal the oracle, the gradient of the adapter included', () => {
  const { student, teacher, adapter, cases } = oracle.features
  assert.deepEqual(new Set(cases.map(({ method }) => method)), new Set(byFeatures))
  for (const { method, options, terms, gradients, adapterGradient } of cases) {
    tf.tidy(() => {
      const name = `${method} ${JSON.stringify(options)}`
      const target = features(tensors(teacher))
      const kernel = tf.tensor4d(unpack(adapter), [1, 1, 2, 3])
      const loss = (...x: tf.Tensor[]) => {
        const variables = new Map([['adapter2/kernel', x[3]!]])
        return methodNamed(method as MethodName).loss(
          features(x.slice(0, 3)),
          target,
          config,
          options as DistillationOptions,
          variables,
        )
      }
      const inputs = [...tensors(student), kernel]
      const found = loss(...inputs).terms
      assert.deepEqual(Object.keys(found), Object.keys(terms), name)
      for (const [term, value] of Object.entries(found)) {
        assertClose(value.dataSync(), [terms[term as 'stride32']], `${name} ${term}`)
      }
      const grads = tf.grads((...x) => loss(...x).total)(inputs)
      for (const [i, packed] of [...gradients, adapterGradient].entries()) {
        assertClose(grads[i]!.dataSync(), unpack(packed), `${name} gradient ${i}`)
      }
    })
  }
})

/** The options that a method has, among others. */
function optionsOf(method: MethodName, options: DistillationOptions): DistillationOptions {
  const known = methodNamed(method).options.shape
  return Object.fromEntries(Object.entries(options).filter(([name]) => name in known))
}

/** One scale of one cell and one anchor with two classes: tx ty tw th obj class class. */
function cell(method: MethodName, student: number[], teacher: number[], options: DistillationOptions = {}) {
  return tf.tidy(() => {
    const one = (logits: number[]) => outputs([tf.tensor4d(logits, [1, 1, 1, 7])])
    const single = { classes: 2, strides: [32], anchors: [[anchor]] }
    const { terms, total } = methodNamed(method).loss(one(student), one(teacher), single, options)
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
    const plain = methodNamed('class-kd').loss(outputs(student), teacher, config).total.dataSync()[0]!
    const all = methodNamed('masked-class-kd')
      .loss(outputs(student), teacher, config, {
        threshold: 0,
      })
      .total.dataSync()
    assertClose(all, [plain * oracle.classes], 'all')
    const none = (...x: tf.Tensor[]) =>
      methodNamed('masked-class-kd').loss(outputs(x), teacher, config, { threshold: 1 }).total
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
    const same = both([...tensors(data.one!.teacher), ...tensors(oracle.features.teacher)])
    for (const { name, needs } of METHODS) {
      for (const variant of name === 'objectness-mse' ? (['mse', 'paper'] as const) : [undefined]) {
        const [part] = needs
        const loss = (...x: tf.Tensor[]) =>
          methodNamed(name).loss({ ...same, [part!]: x }, same, config, variant && { variant }).total
        const { value, grads } = tf.valueAndGrads(loss)([...same[part!]])
        assert.ok(Math.abs(value.dataSync()[0]!) < 1e-7, name)
        for (const gradient of grads)
          assert.ok(
            gradient.dataSync().every((v) => Math.abs(v) < 1e-8),
            name,
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
        for (const method of byOutputs) {
          for (const options of [
            { variant: 'mse', temperature: 0.25 },
            { variant: 'paper', temperature: 4 },
            { variant: 'paddle', threshold: 0 },
          ] as const) {
            const { value, grads } = tf.valueAndGrads(
              (...x) =>
                methodNamed(method).loss(outputs(x), teacher, config, optionsOf(method, options)).total,
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
      const single = { classes: 1, strides: [32], anchors: [[anchor]] }
      const of = (logits: number[]) => outputs([tf.tensor4d(logits, [1, 1, 1, 6])])
      const { terms } = methodNamed(method).loss(of([1, -1, 1, 3, 2, 5]), of([0, 0, 0, 0, 0, 3]), single)
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
    for (const { name, needs } of METHODS) {
      for (const variant of name === 'objectness-mse' ? (['mse', 'paper', 'paddle'] as const) : [undefined]) {
        const f = () =>
          methodNamed(name).loss(both(student), both(teacher), config, variant && { variant }).total
        const { grads } = tf.engine().gradients(f, [...student, ...teacher], undefined, true)
        const size = (i: number) => (grads[i] ? tf.sum(tf.abs(grads[i]!)).dataSync()[0]! : 0)
        const first = needs.includes('features') ? 3 : 0
        for (let s = first; s < first + 3; s++) assert.ok(size(s) > 0, `${name}: student ${s}`)
        for (let s = 0; s < 6; s++) assert.equal(size(6 + s), 0, `${name}: teacher ${s}`)
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
      methodNamed(method).loss(student, teacher, config, options).total.dataSync()[0]!
    for (const method of METHOD_NAMES) {
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

test('the methods in the order of their numbers, with the published weights and options', () => {
  assert.deepEqual(
    METHODS.map(({ number, name, published: { weight } }) => [number, name, weight]),
    [
      [1, 'output-kd', 10],
      [2, 'class-kd', 1],
      [3, 'masked-class-kd', 1],
      [4, 'objectness-mse', 10],
      [5, 'feature-mse', 2],
      [6, 'feature-cosine', 2],
      [7, 'channel-kd', 50],
      [8, 'dist', 1],
    ],
  )
  assert.equal(PUBLISHED['masked-class-kd'].threshold, 0.05)
  assert.deepEqual(PUBLISHED['channel-kd'], { weight: 50, temperature: 4, scaleByTemperatureSquared: true })
})

test('a method is one file and one line: no other source file names or imports it', () => {
  const lib = join(__dirname, '../../lib')
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const sources = files.map((file) => ({ file, text: readFileSync(join(lib, file), 'utf8') }))
  const having = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ file }) => file)
  const list = join('losses', 'distill', 'methods.ts')
  // The report must say whose the published numbers are.
  const quoting = join('report', 'published.ts')
  for (const name of METHOD_NAMES) {
    const naming = having(new RegExp(`(?<![\\w/.-])${name}(?![\\w/.-])['"\`]`))
    assert.deepEqual(
      naming.filter((file) => file !== quoting),
      [join('losses', 'distill', `${name}.ts`)],
      name,
    )
    assert.deepEqual(having(new RegExp(`from '[./\\w-]*/${name}'`)), [list], name)
  }
  const lines = readFileSync(join(lib, list), 'utf8').split('\n')
  assert.equal(lines.filter((line) => line.startsWith('export')).length, METHODS.length)
})

test('adapters where widths differ, the same for every method and whatever other methods there are', () => {
  const wide = headsOf(darknet21(undefined, { neck: [512, 256, 128] }))
  const narrow = headsOf(darknet21(undefined, { neck: [512, 200, 128] }))
  const variables = createVariables(METHOD_NAMES, narrow, wide, 1)
  for (const name of METHOD_NAMES) {
    const own = variables[name]!
    assert.deepEqual([...own.keys()], byFeatures.includes(name) ? ['adapter2/kernel'] : [], name)
  }
  const kernel = variables['feature-mse']!.get('adapter2/kernel')!
  assert.deepEqual(kernel.shape, [1, 1, 200, 256])
  const values = kernel.dataSync<'float32'>()
  const variance = values.reduce((sum, v) => sum + v * v, 0) / values.length
  assert.ok(Math.abs(variance * 200 - 1) < 0.05, `variance ${variance}`)
  const alone = createVariables(['feature-mse'], narrow, wide, 1)['feature-mse']!.get('adapter2/kernel')!
  assert.deepEqual(alone.dataSync(), values)
  const other = createVariables(['feature-mse'], narrow, wide, 2)['feature-mse']!.get('adapter2/kernel')!
  assert.notDeepEqual(other.dataSync(), values)
  tf.dispose([alone, other, ...Object.values(variables).flatMap((own) => [...own.values()])])
})

test('parts that do not fit are an error that says so', () => {
  tf.tidy(() => {
    const student = outputs(tensors(data.two!.student))
    const teacher = outputs(tensors(data.one!.teacher))
    for (const method of byOutputs) {
      assert.throws(
        () => methodNamed(method).loss(student, teacher, config),
        /student \[2,5,3,24\] and teacher \[1,5,3,24\]/,
      )
      assert.throws(
        () => methodNamed(method).loss(student, student, { ...config, classes: 4 }),
        /n, h, w, 27/,
      )
      const fewer = outputs(student.outputs.slice(1))
      assert.throws(
        () => methodNamed(method).loss(fewer, student, config),
        /logits of 3 scales, found 2 and 3/,
      )
      assert.throws(
        () => methodNamed(method).loss(student, fewer, config),
        /logits of 3 scales, found 3 and 2/,
      )
    }
    const { student: narrow, teacher: wide } = oracle.features
    for (const method of byFeatures) {
      assert.throws(
        () => methodNamed(method).loss(features(tensors(narrow)), features(tensors(wide)), config),
        /stride16: .*\[2,3,4,3\].*\[2,3,4,2\] without an adapter/,
      )
      assert.throws(
        () => methodNamed(method).loss(features([]), features([]), config),
        /features of 1 scales/,
      )
    }
    assert.throws(
      () => methodNamed('masked-class-kd').loss(student, student, config, { threshold: Number.NaN }),
      /masked-class-kd options: at "threshold": expected a number, found NaN/,
    )
    assert.throws(
      () => methodNamed('class-kd').loss(student, student, config, { temperature: 0 }),
      /class-kd options: at "temperature": expected a number above 0, found 0/,
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
    const methods = METHOD_NAMES.map((method) => ({ method }))
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
