import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { sha256, writeAtomically, writeSealed } from '../../lib/base'
import { initialWeights } from '../../lib/detector'
import { type Checkpoint, loadCheckpoint, saveCheckpoint, withoutTraining } from '../../lib/train'
import { deadEnding } from '../base/dead'
import { narrowConfig, narrowDetector } from '../detector/support'

const root = mkdtempSync(join(tmpdir(), 'checkpoint-'))
after(() => rmSync(root, { recursive: true }))
const folder = () => mkdtempSync(join(root, 'f-'))

const network = narrowDetector()
const checkpoint: Checkpoint = {
  network,
  classes: ['car', 'bus', 'über'],
  step: 12,
  weights: initialWeights(network, 1),
  optimizer: new Map([['momentum/stem/kernel', { shape: [2], values: Float32Array.of(1, 2) }]]),
  training: {
    steps: 40,
    batch: 2,
    schedule: { kind: 'poly', rate: 1e-3, floor: 1e-6, power: 0.9, epochs: 100 },
    warmUp: { steps: 20, from: 0.1 },
    sgd: { momentum: 0.9, weightDecay: 5e-4, clip: 35 },
    random: { seed: 7, step: 12 },
    seconds: 1.5,
    last: { total: 3.25 },
  },
  // Values that JSON does not keep are not part of the hash.
  provenance: { recipe: { rate: 0.1 }, nothing: undefined },
}
const other: Checkpoint = { ...checkpoint, step: 13, weights: initialWeights(network, 2) }
const tensorsIn = (directory: string) =>
  readdirSync(directory).filter((name) => name.endsWith('.safetensors'))

test('a saved checkpoint is loaded again', () => {
  const path = join(folder(), 'sub/checkpoint.json')
  const { sha256: hash } = saveCheckpoint(path, checkpoint)
  assert.deepEqual(loadCheckpoint(path), {
    ...checkpoint,
    provenance: { recipe: { rate: 0.1 } },
    weights: new Map(checkpoint.weights),
    sha256: hash,
  })
})

test('the JSON file names the file of numbers beside it, by its hash', () => {
  const directory = folder()
  const { sha256: hash } = saveCheckpoint(join(directory, 'model.json'), checkpoint)
  const document = JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'))
  assert.equal(document.file, `model.${hash.slice(0, 12)}.safetensors`)
  assert.equal(sha256(readFileSync(join(directory, document.file))), hash)
  assert.deepEqual(readdirSync(directory).sort(), [document.file, 'model.json'].sort())
})

test('equal weights have equal hashes, other weights others', () => {
  const hashes = [checkpoint, checkpoint, other].map(
    (value) => saveCheckpoint(join(folder(), 'a.json'), value).sha256,
  )
  assert.equal(hashes[0], hashes[1])
  assert.notEqual(hashes[0], hashes[2])
})

test('a new checkpoint replaces the older one and leaves files of other names alone', () => {
  const directory = folder()
  const path = join(directory, 'student.json')
  const neighbour = saveCheckpoint(join(directory, 'student.v2.json'), checkpoint).sha256
  saveCheckpoint(path, checkpoint)
  writeFileSync(join(directory, 'student.log.jsonl'), '')
  const { sha256: hash } = saveCheckpoint(path, other)
  assert.deepEqual(
    tensorsIn(directory).sort(),
    [`student.${hash.slice(0, 12)}.safetensors`, `student.v2.${neighbour.slice(0, 12)}.safetensors`].sort(),
  )
  assert.equal(loadCheckpoint(path).step, 13)
  assert.equal(loadCheckpoint(join(directory, 'student.v2.json')).step, 12)
  assert.ok(readdirSync(directory).includes('student.log.jsonl'))
})

describe('after a crash', () => {
  test('between the two writes the older checkpoint is whole, and the next one cleans up', () => {
    const directory = folder()
    const path = join(directory, 'checkpoint.json')
    saveCheckpoint(path, checkpoint)
    const elsewhere = folder()
    saveCheckpoint(join(elsewhere, 'checkpoint.json'), other)
    const [newer] = tensorsIn(elsewhere)
    // The new numbers are there, the JSON file still names the old ones.
    cpSync(join(elsewhere, newer!), join(directory, newer!))
    assert.equal(loadCheckpoint(path).step, 12)
    const last = saveCheckpoint(path, { ...other, weights: initialWeights(network, 3) })
    assert.deepEqual(tensorsIn(directory), [`checkpoint.${last.sha256.slice(0, 12)}.safetensors`])
  })

  test('during a write the temporary file is never read, and the next checkpoint removes it', () => {
    const directory = folder()
    const path = join(directory, 'checkpoint.json')
    saveCheckpoint(path, checkpoint)
    const ending = deadEnding()
    writeFileSync(join(directory, `checkpoint.0123456789ab.safetensors${ending}`), 'half')
    writeFileSync(join(directory, `checkpoint.json${ending}`), '{"format":')
    assert.equal(loadCheckpoint(path).step, 12)
    saveCheckpoint(path, other)
    assert.ok(!readdirSync(directory).some((name) => name.endsWith('.tmp')))
    assert.equal(loadCheckpoint(path).step, 13)
  })

  test('a process that does nothing but save, killed at any moment, leaves a checkpoint that loads', async () => {
    const path = join(folder(), 'checkpoint.json')
    const rest = { network, classes: checkpoint.classes, provenance: {} }
    const program = `
      const { saveCheckpoint } = require(${JSON.stringify(join(__dirname, '../../lib/train/checkpoint'))})
      for (let step = 0; ; step++) {
        const weights = new Map([['w', { shape: [200_000], values: new Float32Array(200_000).fill(step) }]])
        saveCheckpoint(${JSON.stringify(path)}, { ...${JSON.stringify(rest)}, step, weights, optimizer: new Map() })
        if (step === 0) console.log('saving')
      }`
    for (const milliseconds of [0, 7, 23]) {
      const child = spawn(process.execPath, ['--require', 'tsx/cjs', '-e', program], {
        cwd: join(__dirname, '../..'),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      await setTimeout(milliseconds)
      child.kill('SIGKILL')
      await once(child, 'close')
      const { step, weights } = loadCheckpoint(path)
      assert.ok(weights.get('w')!.values.every((value) => value === step))
    }
  })
})

describe('what is damaged is refused', () => {
  const saved = () => {
    const directory = folder()
    const path = join(directory, 'checkpoint.json')
    saveCheckpoint(path, checkpoint)
    return { path, tensors: join(directory, tensorsIn(directory)[0]!) }
  }
  const edit = (path: string, change: object) => {
    const document = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...document, ...change }))
  }

  test('one flipped byte', () => {
    const { path, tensors } = saved()
    const bytes = readFileSync(tensors)
    bytes[bytes.length - 5]! ^= 1
    writeFileSync(tensors, bytes)
    assert.throws(
      () => loadCheckpoint(path),
      (error: Error) => {
        assert.ok(error.message.startsWith(tensors))
        assert.match(
          error.message,
          /expected SHA-256 [0-9a-f]{64} as checkpoint\.json says, found [0-9a-f]{64}/,
        )
        return true
      },
    )
  })

  test('any flipped bit of either file', () => {
    const { path, tensors } = saved()
    for (const file of [path, tensors]) {
      const whole = readFileSync(file)
      // A third of the JSON file, some of the other.
      const stride = file === path ? 3 : 211
      for (let at = 0; at < whole.length; at += stride) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 1 << (at % 8)
        writeFileSync(file, bytes)
        assert.throws(() => loadCheckpoint(path), `${file}, byte ${at}`)
      }
      for (const length of [0, 1, whole.length - 2]) {
        writeFileSync(file, whole.subarray(0, length))
        assert.throws(() => loadCheckpoint(path), `${file}, ${length} bytes`)
      }
      writeFileSync(file, whole)
    }
    assert.equal(loadCheckpoint(path).step, 12)
  })

  test('another value of any key', () => {
    const { path } = saved()
    for (const change of [
      { step: 13 },
      { classes: ['car', 'bus', 'uber'] },
      { provenance: {} },
      { network: { ...network, features: {} } },
      { training: undefined },
      { training: { ...checkpoint.training!, random: { seed: 8, step: 12 } } },
    ]) {
      const before = readFileSync(path)
      edit(path, change)
      assert.throws(
        () => loadCheckpoint(path),
        /checkpoint\.json: expected SHA-256 [0-9a-f]{64} as its key "document" says, found [0-9a-f]{64}/,
      )
      writeFileSync(path, before)
    }
  })

  test('missing files, by their names', () => {
    const { path, tensors } = saved()
    rmSync(tensors)
    assert.throws(
      () => loadCheckpoint(path),
      (error: Error) => error.message.includes(tensors),
    )
    assert.throws(
      () => loadCheckpoint('/nowhere/checkpoint.json'),
      /\/nowhere\/checkpoint\.json: expected a file, found nothing/,
    )
  })

  test('half a JSON file', () => {
    const { path } = saved()
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 100))
    assert.throws(
      () => loadCheckpoint(path),
      (error: Error) => error.message.startsWith(`${path}:4: expected JSON, found: `),
    )
  })

  const wrong: readonly [string, object, RegExp][] = [
    ['another format', { format: 'detector-checkpoint/4' }, /at "format": /],
    ['a step of text', { step: '12' }, /at "step": expected a number, found "12"/],
    ['a negative step', { step: -1 }, /at "step": /],
    ['a short hash', { sha256: 'abc' }, /at "sha256": /],
    [
      'a layer without its width',
      { network: { ...network, layers: [{ ...network.layers[0], out: undefined }] } },
      /at "network\.layers\[0\]\.out": expected a number, found nothing/,
    ],
    ['an unknown key', { epoch: 3 }, /at "epoch": unknown key/],
  ]
  for (const [what, change, message] of wrong) {
    test(`${what}, by its key`, () => {
      const { path } = saved()
      edit(path, change)
      assert.throws(
        () => loadCheckpoint(path),
        (error: Error) => {
          assert.ok(error.message.startsWith(`${path}: expected a checkpoint: `))
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  test('a name that does not end in .json', () => {
    assert.throws(
      () => saveCheckpoint(join(root, 'model'), checkpoint),
      /model: expected the name of a \.json file/,
    )
  })
})

test('files of versions 1, once it is sealed, and 2, which hold the widths and options of a darknet21, are read', () => {
  const path = join(folder(), 'old.json')
  saveCheckpoint(path, withoutTraining(checkpoint))
  const { document: _, network: __, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
  const old = { ...rest, detector: narrowConfig() }
  const earliest = { ...old, format: 'detector-checkpoint/1' }
  writeFileSync(path, JSON.stringify(earliest))
  assert.throws(
    () => loadCheckpoint(path),
    /old\.json: expected its seal, .* found none; .*: "npx workbook seal .*old\.json" seals it as it is; or fetch/,
  )
  writeSealed(path, earliest)
  const first = loadCheckpoint(path)
  assert.deepEqual([first.network, first.weights], [network, new Map(checkpoint.weights)])
  const second = { ...old, format: 'detector-checkpoint/2' }
  writeSealed(path, second)
  assert.deepEqual(loadCheckpoint(path), first)
  const wrong = { ...second, detector: { ...narrowConfig(), input: [64, 100] } }
  writeFileSync(path, JSON.stringify(wrong))
  assert.throws(
    () => loadCheckpoint(path),
    /at "detector\.input\[1\]": expected a multiple of 32 pixels, found 100/,
  )
})

/** The block of Python that lib/README.md shows, with a file of numbers in place of its example. */
function documentedReader(file: string): string {
  const readme = readFileSync(join(__dirname, '../../lib/README.md'), 'utf8')
  const block = /```python\n([^`]*load_file[^`]*)```/.exec(readme)?.[1]
  assert.ok(block, 'lib/README.md: expected a block of Python with load_file, found none')
  assert.equal(block.trim().split('\n').length, 3)
  return block.replace(/'model[^']*\.safetensors'/, JSON.stringify(file))
}

for (const [name, environment] of [
  ['numpy', '.venv'],
  ['torch', '.cache/bench-venv'],
] as const) {
  test(`the three documented lines read the weights in ${name}`, (t) => {
    const python = join(__dirname, '../..', environment, 'bin/python')
    const needs = `import safetensors, ${name}`
    if (!existsSync(python) || spawnSync(python, ['-c', needs]).status !== 0) {
      return t.skip(`${python} with safetensors and ${name} is not there`)
    }
    const directory = folder()
    saveCheckpoint(join(directory, 'model.json'), checkpoint)
    const lines = documentedReader(join(directory, tensorsIn(directory)[0]!)).replace('.numpy', `.${name}`)
    const print = `import json\nprint(json.dumps([list(kernel.shape), [float(x) for x in kernel.reshape(-1)], len(weights)]))`
    const { stdout, stderr } = spawnSync(python, ['-c', `${lines}\n${print}`], { encoding: 'utf8' })
    assert.equal(stderr, '')
    const { shape, values } = checkpoint.weights.get('stem/kernel')!
    assert.deepEqual(JSON.parse(stdout), [shape, [...values], checkpoint.weights.size + 1])
  })
}

test('writeAtomically makes folders, replaces, and leaves no temporary file', () => {
  const directory = folder()
  const file = join(directory, 'a/b/c.txt')
  writeAtomically(file, 'one')
  writeAtomically(file, Buffer.from('two'))
  assert.equal(readFileSync(file, 'utf8'), 'two')
  assert.deepEqual(readdirSync(join(directory, 'a/b')), ['c.txt'])
})
