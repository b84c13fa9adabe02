import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { after, test } from 'node:test'
import { root } from '../../lib/workbench/project'

interface Lock {
  withLock<T>(work: () => Promise<T>, options: { onWait: (pid: string) => void; file: string }): Promise<T>
}
const { withLock } = require('../../lib/workbench/setup/lock.cjs') as Lock
const { copyWithoutGreeting } = require('../../lib/workbench/setup/quiet.cjs') as {
  copyWithoutGreeting(from: PassThrough, to: { write(text: string): void }): void
}
const { requirements } = require('../../lib/workbench/setup/python.cjs') as {
  requirements(device: 'cpu' | 'cuda', text?: string): string[]
}
const { environmentOf } = require('../../lib/workbench/setup/steps.cjs') as {
  environmentOf(prefix: string, device: 'cpu' | 'cuda'): { readonly [name: string]: string }
}

const folder = mkdtempSync(path.join(tmpdir(), 'setup-test-'))
after(() => rmSync(folder, { recursive: true }))

test('the set-up releases the lock, even when the work fails', async () => {
  const file = path.join(folder, 'lock')
  const failing = withLock(() => Promise.reject(new Error('no space')), { file, onWait: () => undefined })
  await assert.rejects(failing, /no space/)
  assert.equal(existsSync(file), false)
})

test('the set-up waits for a living owner and takes over from a dead one', async () => {
  const file = path.join(folder, 'held')
  const started = (readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ')[19]
  writeFileSync(file, `${process.ppid} ${started}`)
  const waited: string[] = []
  let entered: Promise<string> | undefined
  await new Promise<void>((resolve) => {
    const onWait = (pid: string): void => {
      waited.push(pid)
      resolve()
    }
    entered = withLock(async () => 'in', { file, onWait })
  })
  writeFileSync(file, `${process.ppid} 1`) // the same number, but another process
  assert.equal(await entered, 'in')
  assert.deepEqual(waited, [String(process.ppid)])
  assert.equal(existsSync(file), false)
})

test('what a killed set-up has left, and one that was killed while it took a lock over, keep nobody waiting', async () => {
  const file = path.join(folder, 'left')
  const { pid } = spawnSync(process.execPath, ['--version'])
  writeFileSync(file, `${pid} 1`)
  writeFileSync(`${file}.over-${pid}-1`, `${pid} 2`)
  writeFileSync(`${file}.${pid}`, `${pid} 2`)
  writeFileSync(`${file}.stamp.${pid}.tmp`, 'half')
  assert.equal(await withLock(async () => 'in', { file, onWait: () => assert.fail('it waits') }), 'in')
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('left')),
    [],
  )
})

test('the set-up asks a card for the same bits every time, and for XLA with a folder of what it has compiled', () => {
  const prefix = path.join(folder, 'environment')
  const site = path.join(prefix, 'lib/python3.12/site-packages')
  const compiler = path.join(site, 'nvidia/cuda_nvcc')
  for (const inside of [path.join(site, 'tensorflow'), path.join(compiler, 'bin')])
    mkdirSync(inside, { recursive: true })
  for (const file of [path.join(site, 'tensorflow/libtensorflow_cc.so.2'), path.join(compiler, 'bin/ptxas')])
    writeFileSync(file, '')
  const names = ['TF_DETERMINISTIC_OPS', 'TF_XLA_FLAGS', 'XLA_FLAGS', 'WORKBOOK_XLA'] as const
  const before = names.map((name) => process.env[name])
  const found = (device: 'cpu' | 'cuda') => {
    const environment = environmentOf(prefix, device)
    return names.slice(0, 3).map((name) => environment[name])
  }
  try {
    for (const name of names) delete process.env[name]
    const kept = path.join(root, '.cache/xla')
    const atFirst = `--tf_xla_enable_lazy_compilation=false --tf_xla_persistent_cache_directory=${kept}`
    const tuned = `--xla_gpu_per_fusion_autotune_cache_dir=${kept}/tuned`
    const tools = `${tuned} --xla_gpu_cuda_data_dir=${compiler}`
    assert.deepEqual(found('cpu'), [undefined, undefined, undefined])
    assert.deepEqual(found('cuda'), ['1', `${atFirst} --tf_xla_auto_jit=2`, tools])
    process.env.WORKBOOK_XLA = '0'
    assert.deepEqual(found('cuda'), ['1', atFirst, tools])
    Object.assign(process.env, { TF_DETERMINISTIC_OPS: '0', TF_XLA_FLAGS: '--own', XLA_FLAGS: '--mine' })
    assert.deepEqual(found('cuda'), ['0', '--own', '--mine'])
  } finally {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name]
      else process.env[name] = before[i]
    }
  }
})

test('the set-up takes the Python packages from environment.yml, with the TensorFlow of the device', () => {
  const cpu = requirements('cpu')
  assert.ok(cpu.length >= 5 && cpu.every((item) => /^[\w[\]-]+==[\d.]+$/.test(item)), cpu.join(' '))
  assert.equal(cpu.filter((item) => item.startsWith('tensorflow-cpu==')).length, 1)
  const swapped = cpu.map((item) => item.replace('tensorflow-cpu', 'tensorflow[and-cuda]'))
  assert.deepEqual(requirements('cuda'), swapped)
  const list = (line: string) =>
    requirements('cpu', `dependencies:\n  - pip:\n      # why\n      - a==1\n${line}\n`)
  assert.deepEqual(list('      - b[c]==2.0 # pinned'), ['a==1', 'b[c]==2.0'])
  assert.throws(
    () => list('      - b>=2'),
    /environment\.yml:5: expected a package with its exact version .*, found "- b>=2"/,
  )
  assert.throws(
    () => requirements('cpu', 'dependencies:\n  - make\n'),
    /expected a "- pip:" section, found none/,
  )
})

test("the set-up drops TensorFlow's greeting and nothing else", async () => {
  const from = new PassThrough()
  const parts: string[] = []
  copyWithoutGreeting(from, { write: (part) => void parts.push(part) })
  from.write('one\nWARNING: All log messages before absl::Initia')
  from.write(
    'lizeLog() is called are written to STDERR\nI0000 00:00:17 7767 port.cc:153] oneDNN custom operations are on.',
  )
  from.end(' More.\nE0000 00:00:17 7767 cuda.cc:1] a real error\nlast')
  await finished(from)
  assert.equal(parts.join(''), 'one\nE0000 00:00:17 7767 cuda.cc:1] a real error\nlast')
})

test('the set-up is done quickly and silently when nothing is missing, and passes exit codes on', () => {
  const bootstrap = path.join(root, 'lib/workbench/bootstrap.cjs')
  const run = (...args: string[]) => spawnSync(process.execPath, [bootstrap, ...args], { encoding: 'utf8' })
  const { status, stdout, stderr } = run('setup')
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
  const unknown = run('doctor', '--unknown')
  assert.equal(unknown.status, 1)
  assert.match(unknown.stderr, /^error: unknown option '--unknown'/)
})

test("the set-up takes paths from the caller's folder, also through the package's bin", () => {
  const { bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    bin: { workbook: string }
  }
  const program = path.join(root, bin.workbook)
  accessSync(program, constants.X_OK) // npx runs it as a program
  const box = { image_id: 1, category_id: 1, bbox: [0, 0, 10, 10] }
  const truths = {
    images: [{ id: 1 }],
    categories: [{ id: 1, name: 'car' }],
    annotations: [{ id: 1, ...box }],
  }
  writeFileSync(path.join(folder, 'truths.json'), JSON.stringify(truths))
  writeFileSync(path.join(folder, 'found.json'), JSON.stringify([{ ...box, score: 1 }]))
  const args = ['evaluate', '--truth', 'truths.json', '--detections', 'found.json', '--json']
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' })
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
  assert.equal((JSON.parse(stdout) as { coco: { AP: number } }).coco.AP.toFixed(12), '1.000000000000')
})
