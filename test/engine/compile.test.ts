import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  batchNormTraining,
  compile,
  conv2d,
  leakyRelu,
  nativeBackend,
  supportsPrecision,
  tf,
} from '../../lib/engine'
import { DTYPE } from '../../lib/engine/native'
import { allclose } from '../allclose'
import { Lcg } from '../detector/lcg'

/** A convolution with batch norm, its running mean, and SGD: state of every kind. */
function smallNet() {
  const random = new Lcg(7)
  const variable = (shape: number[], low: number, high: number) => {
    const size = shape.reduce((product, length) => product * length, 1)
    return tf.tidy(() => tf.variable(tf.tensor(random.uniform(size, low, high), shape)))
  }
  const kernel = variable([3, 3, 3, 16], -0.3, 0.3)
  const gamma = variable([16], 0.5, 1)
  const beta = variable([16], -0.2, 0.2)
  const running = tf.tidy(() => tf.variable(tf.zeros([16]), false))
  const trained = [kernel, gamma, beta]
  const step = (x: tf.Tensor4D, rate: tf.Scalar) => {
    const { value, grads } = tf.variableGrads(() => {
      const features = conv2d(x, kernel as tf.Tensor as tf.Tensor4D, { stride: 2, padding: 1 })
      const normalised = batchNormTraining(
        features,
        gamma as tf.Tensor as tf.Tensor1D,
        beta as tf.Tensor as tf.Tensor1D,
        {
          epsilon: 1e-5,
          onStatistics: (mean) => running.assign(tf.add(tf.mul(running, 0.9), tf.mul(mean, 0.1))),
        },
      )
      return tf.mean(tf.square(tf.sub(leakyRelu(normalised, 0.1), 1))) as tf.Scalar
    }, trained)
    for (const variable of trained) variable.assign(tf.sub(variable, tf.mul(rate, grads[variable.name]!)))
    return { loss: value as tf.Tensor, running: running as tf.Tensor }
  }
  const state = [...trained, running]
  return { step, state, dispose: () => tf.dispose(state) }
}

function batch(seed: number, n = 2, size = 8): tf.Tensor4D {
  return tf.tensor4d(new Lcg(seed).uniform(n * size * size * 3, 0, 1), [n, size, size, 3])
}

const values = (tensors: readonly tf.Tensor[]) => tensors.map((tensor) => [...tensor.dataSync()])

function train(
  steps: readonly tf.Tensor4D[],
  options: Omit<Parameters<typeof compile>[1], 'state'> & object,
) {
  const net = smallNet()
  const compiled = compile(net.step, { ...options, state: net.state })
  const rate = tf.scalar(0.5)
  const losses = steps.map((x) => {
    const { loss, running } = compiled(x, rate)
    const value = [...loss!.dataSync(), ...running!.dataSync()]
    tf.dispose([loss!, running!])
    return value
  })
  compiled.sync()
  const result = { losses, state: values(net.state), graphs: compiled.graphs.length }
  compiled.dispose()
  net.dispose()
  rate.dispose()
  return result
}

test('compiled steps are bit-equal to eager ones in float32, state included', () => {
  const steps = [1, 2, 3, 4, 5].map((seed) => batch(seed))
  const eager = train(steps, { eager: true })
  const compiled = train(steps, {})
  assert.deepEqual(compiled.losses, eager.losses)
  assert.deepEqual(compiled.state, eager.state)
  assert.equal(compiled.graphs, 1)
  assert.ok(eager.losses[4]![0]! < eager.losses[0]![0]!, 'the loss falls')
})

test('every signature is recorded once, and the state follows the calls', () => {
  const small = batch(1)
  const large = batch(2, 1, 16)
  const steps = [small, large, small, large, small]
  const compiled = train(steps, {})
  const eager = train(steps, { eager: true })
  assert.equal(compiled.graphs, 2)
  assert.deepEqual(compiled.losses, eager.losses)
  assert.deepEqual(compiled.state, eager.state)
})

test('variables have their values again after sync, and an assignment from outside is picked up', () => {
  const variable = tf.variable(tf.tensor1d([1]))
  const other = tf.variable(tf.tensor1d([10]))
  const add = compile(
    (x: tf.Tensor1D) => {
      variable.assign(tf.add(variable, x))
      other.assign(tf.mul(other, 2))
      return variable as tf.Tensor
    },
    { state: [variable, other], name: 'add' },
  )
  const x = tf.tensor1d([1])
  const clone = other.clone()
  assert.deepEqual(values([add(x), add(x)]), [[2], [3]])
  const unread = {
    message: `${variable.name} is newest in the session of compile(add): expected sync() before it is read`,
  }
  assert.throws(() => variable.dataSync(), unread)
  assert.throws(() => tf.square(variable), unread)
  assert.deepEqual(values([clone]), [[10]])
  add.sync()
  assert.deepEqual(values([variable, other]), [[3], [40]])
  add(x)
  variable.assign(tf.tensor1d([100]))
  assert.deepEqual(values([add(x)]), [[101]])
  add.sync()
  assert.deepEqual(values([variable, other]), [[101], [160]])
  add(x)
  add.dispose()
  assert.deepEqual(values([variable, other]), [[102], [320]])
  tf.dispose([variable, other, clone, x])
})

test('arguments and results are tensors, or arrays and objects of them', () => {
  const f = compile(({ a, pair }: { a: tf.Tensor; pair: readonly [tf.Tensor, tf.Tensor] }) => ({
    sums: pair.map((one) => tf.add(one, a)) as tf.Tensor[],
    nested: { a },
  }))
  const [one, two, three] = [1, 2, 3].map((value) => tf.tensor1d([value])) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ]
  for (const [a, pair] of [
    [one, [two, three]],
    [three, [one, two]],
  ] as const) {
    const { sums, nested } = f({ a, pair })
    const [own, ...others] = values([a, ...pair]).map(([value]) => value!)
    assert.deepEqual(values([...sums, nested.a]), [...others.map((other) => [own! + other]), [own]])
  }
  assert.equal(f.graphs.length, 1)
  // The same tensors in another form are another signature.
  const g = compile((...tensors: readonly (tf.Tensor | readonly tf.Tensor[])[]) => tf.addN(tensors.flat()))
  assert.deepEqual(values([g(one, [two, three]), g([one, two], three)]), [[6], [6]])
  assert.equal(g.graphs.length, 2)
  for (const compiled of [f, g]) compiled.dispose()
})

test('state of every type and rank: vectors are kept together, the others separately', () => {
  const state = [
    tf.variable(tf.tensor1d([1, 2, 3])),
    tf.variable(tf.scalar(10)),
    tf.variable(tf.tensor1d([7], 'int32'), false),
    tf.variable(tf.tensor1d([4])),
    tf.variable(tf.tensor2d([[5, 6]])),
    tf.variable(tf.tensor1d([100, 200])),
  ]
  const [a, b, c, d, e, f] = state as [tf.Variable, ...tf.Variable[]]
  const step = compile(
    (x: tf.Tensor) => {
      a.assign(tf.add(a, x))
      b!.assign(tf.sum(a))
      c!.assign(tf.add(c!, tf.scalar(1, 'int32')))
      e!.assign(tf.mul(e!, d!))
      return f as tf.Tensor
    },
    { state },
  )
  const x = tf.scalar(1)
  assert.deepEqual(values([step(x), step(x)]), [
    [100, 200],
    [100, 200],
  ])
  step.sync()
  assert.deepEqual(values(state), [[3, 4, 5], [12], [9], [4], [80, 96], [100, 200]])
  assert.equal(c!.dtype, 'int32')
  step.dispose()
  tf.dispose(state)
})

test('compiled functions that share variables see what the others assigned', () => {
  const [shared, own] = [tf.variable(tf.scalar(1)), tf.variable(tf.scalar(0))]
  const double = compile(
    () => {
      shared.assign(tf.mul(shared, 2))
      return shared as tf.Tensor
    },
    { state: [shared] },
  )
  const add = compile(
    () => {
      own.assign(tf.add(own, shared))
      return own as tf.Tensor
    },
    { state: [own, shared] },
  )
  assert.deepEqual(values([double(), add(), double(), add(), add()]), [[2], [2], [4], [6], [10]])
  // The captured value is the newest one at the first call.
  const frozen = compile(() => tf.add(shared, own))
  assert.deepEqual(values([frozen(), double(), frozen()]), [[14], [8], [14]])
  for (const compiled of [double, add]) compiled.sync()
  assert.deepEqual(values([shared, own]), [[8], [10]])
  for (const compiled of [double, add, frozen]) compiled.dispose()
  tf.dispose([shared, own])
})

test('captured tensors are constants, frozen at the first call', () => {
  const captured = tf.variable(tf.tensor1d([2]))
  const scale = compile((x: tf.Tensor1D) => tf.mul(x, captured))
  const x = tf.tensor1d([3])
  assert.deepEqual(values([scale(x)]), [[6]])
  captured.assign(tf.tensor1d([5]))
  assert.deepEqual(values([scale(x)]), [[6]])
  // Another signature records anew.
  assert.deepEqual(values([scale(tf.tensor1d([1, 1]))]), [[5, 5]])
  scale.dispose()
})

test('inputs and captured tensors may be returned and stay alive', () => {
  const captured = tf.tensor1d([7])
  const both = compile((x: tf.Tensor1D) => ({ x: x as tf.Tensor, captured: captured as tf.Tensor }))
  const x = tf.tensor1d([1, 2])
  for (let call = 0; call < 2; call++) {
    const result = both(x)
    assert.deepEqual(values([result.x, result.captured, x, captured]), [[1, 2], [7], [1, 2], [7]])
  }
  both.dispose()
})

test('inputs that share their values at the first call are still two inputs', () => {
  const minus = compile((a: tf.Tensor1D, b: tf.Tensor1D) => tf.sub(a, b))
  const a = tf.tensor1d([5])
  assert.deepEqual(values([minus(a, a), minus(a, tf.tensor1d([2])), minus(tf.tensor1d([1]), a)]), [
    [0],
    [3],
    [-4],
  ])
  minus.dispose()
})

test('variables that share their values at the first call are still two variables', () => {
  const [a, b] = [tf.variable(tf.zeros([1])), tf.variable(tf.zeros([1]))]
  const zero = tf.zeros([1])
  a.assign(zero)
  b.assign(zero)
  const step = compile(
    (x: tf.Tensor1D) => {
      a.assign(tf.add(a, x))
      b.assign(tf.sub(b, x))
      return tf.sub(a, b)
    },
    { state: [a, b] },
  )
  const x = tf.tensor1d([1])
  assert.deepEqual(values([step(x), step(x)]), [[2], [4]])
  step.sync()
  assert.deepEqual(values([a, b]), [[2], [-2]])
  step.dispose()
})

test('int32 and bool inputs, constants and outputs', () => {
  const f = compile((i: tf.Tensor1D, mask: tf.Tensor1D) => ({
    sum: tf.add(i, tf.tensor1d([1, 2, 3], 'int32')),
    not: tf.logicalNot(mask) as tf.Tensor,
    picked: tf.where(mask, i, tf.zerosLike(i)) as tf.Tensor,
  }))
  const i = tf.tensor1d([10, 20, 30], 'int32')
  const mask = tf.tensor1d([true, false, true], 'bool')
  const result = f(i, mask)
  assert.equal(result.sum.dtype, 'int32')
  assert.equal(result.not.dtype, 'bool')
  assert.deepEqual(values([result.sum, result.not, result.picked]), [
    [11, 22, 33],
    [0, 1, 0],
    [10, 0, 30],
  ])
  f.dispose()
})

test('float32 inputs are fed as they lie in the program, and come out bit by bit', () => {
  const copy = compile((x: tf.Tensor) => tf.reshape(x, [-1]))
  const odd = Float32Array.from([-0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 3.4e38, 1 / 3])
  const bitsOf = (floats: ArrayLike<number>) => [...new Uint32Array(Float32Array.from(floats).buffer)]
  // A view into the middle of a buffer; the second call is the one that feeds without having recorded.
  const inputs = [odd, new Float32Array([9, ...odd, 9]).subarray(1, 7)].map((floats) =>
    tf.tensor(floats, [2, 3]),
  )
  const backend = nativeBackend()
  const real = backend.binding
  for (const input of inputs) {
    const uploaded: number[] = []
    backend.binding = Object.create(real, {
      createTensor: {
        value: (shape: number[], dtype: number, data: ArrayBufferView) => {
          uploaded.push(dtype)
          return real.createTensor(shape, dtype, data)
        },
      },
    })
    let output: tf.Tensor
    try {
      output = copy(input)
    } finally {
      backend.binding = real
    }
    assert.deepEqual(bitsOf(output.dataSync()), bitsOf(odd))
    // tfjs leaves only int32 in the host's memory; on a card it copies any other type there at once.
    if (input === inputs[1]) assert.deepEqual(uploaded, [DTYPE.int32])
    output.dispose()
  }
  // A tensor whose values TensorFlow already has.
  const native = tf.square(inputs[1]!)
  const again = copy(native)
  assert.deepEqual(bitsOf(again.dataSync()), bitsOf(native.dataSync()))
  tf.dispose([...inputs, native, again])
  copy.dispose()
})

test('an error inside the function passes through and leaves the state as it was', () => {
  const variable = tf.variable(tf.tensor1d([1]))
  const failing = compile(
    (x: tf.Tensor1D) => {
      variable.assign(tf.add(variable, x))
      if (x.shape[0] === 1) throw new RangeError('of its own')
      return x as tf.Tensor
    },
    { state: [variable] },
  )
  const x = tf.tensor1d([1])
  const count = tf.memory().numTensors
  assert.throws(() => failing(x), { name: 'RangeError', message: 'of its own' })
  assert.deepEqual(values([variable]), [[1]])
  assert.equal(tf.memory().numTensors, count)
  failing.dispose()
})

test('memory does not grow over 100 compiled and disposed graphs', () => {
  const { binding } = nativeBackend()
  const weights = tf.variable(tf.ones([512, 512]))
  const x = tf.ones([1, 512])
  const once = () => {
    const step = compile(
      (input: tf.Tensor) => {
        const y = tf.matMul(input, weights as tf.Tensor)
        weights.assign(tf.mul(weights, 0.5))
        return tf.sum(y)
      },
      { state: [weights] },
    )
    step(x).dispose()
    step.sync()
    step.dispose()
  }
  const counts = () => [tf.memory().numTensors, binding.getNumOfTensors(), binding.getNumOfSavedModels()]
  for (let i = 0; i < 20; i++) once()
  const [before, resident] = [counts(), process.memoryUsage.rss()]
  for (let i = 0; i < 100; i++) once()
  assert.deepEqual(counts(), before)
  // A graph that stayed would keep its megabyte of weights, and the session's own.
  const grown = (process.memoryUsage.rss() - resident) / 2 ** 20
  assert.ok(grown < 50, `grown by ${grown.toFixed(0)} MiB`)
  tf.dispose([weights, x])
})

test('eager execution is float32 only', () => {
  assert.throws(
    () => compile((x: tf.Tensor1D) => tf.relu(x), { eager: true, precision: 'bfloat16', name: 'relu' }),
    /compile\(relu\): eager execution is float32 only, found precision "bfloat16"/,
  )
})

test('dispose frees the sessions; tensors neither leak nor vanish', () => {
  const { binding } = nativeBackend()
  const sessions = binding.getNumOfSavedModels()
  const before = tf.memory().numTensors
  const net = smallNet()
  const compiled = compile(net.step, { state: net.state })
  const rate = tf.scalar(0.1)
  const [x, y] = [batch(1), batch(2, 1)]
  const call = (input: tf.Tensor4D) => tf.dispose(compiled(input, rate))
  call(x)
  call(y)
  const [tensors, native] = [tf.memory().numTensors, binding.getNumOfTensors()]
  assert.equal(tensors, before + net.state.length + 3)
  for (let i = 0; i < 3; i++) for (const input of [x, y]) call(input)
  compiled.sync()
  assert.equal(tf.memory().numTensors, tensors)
  // The variables' values, which only the session had before.
  assert.equal(binding.getNumOfTensors(), native + net.state.length)
  assert.equal(binding.getNumOfSavedModels(), sessions + 2)
  compiled.dispose()
  assert.equal(binding.getNumOfSavedModels(), sessions)
  assert.equal(compiled.graphs.length, 0)
  net.dispose()
  tf.dispose([rate, x, y])
  assert.equal(tf.memory().numTensors, before)
})

for (const precision of ['bfloat16', 'float16'] as const) {
  const supported = supportsPrecision(precision)
  test(`${precision} trains close to float32`, { skip: supported === true ? false : supported }, () => {
    const steps = [1, 2, 3].map((seed) => batch(seed))
    const exact = train(steps, {})
    const low = train(steps, { precision })
    // bfloat16 has 8 bits of mantissa, float16 11: a unit roundoff of 2^-9 and 2^-12, and some tens of roundings a step.
    const bound = precision === 'bfloat16' ? 0.02 : 0.005
    low.losses.forEach(([loss], i) => {
      const expected = exact.losses[i]![0]!
      allclose(loss!, expected, { rtol: bound })
    })
    assert.notDeepEqual(low.losses, exact.losses)
  })
}

test('a precision that the hardware lacks is refused with the reason', () => {
  const lacking = (['bfloat16', 'float16'] as const).filter(
    (precision) => supportsPrecision(precision) !== true,
  )
  for (const precision of lacking) {
    assert.throws(
      () => compile((x: tf.Tensor1D) => tf.relu(x), { precision }),
      new RegExp(`precision "${precision}"`),
    )
  }
  assert.equal(supportsPrecision('float32'), true)
})
