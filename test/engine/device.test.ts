import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { deviceInfo, supportsPrecision, THREADS } from '../../lib/engine'

const cpu = (...instructionSets: string[]) =>
  ({ device: 'CPU', name: 'a processor', instructionSets, computeCapability: undefined }) as const
const gpu = (computeCapability: number | undefined) =>
  ({ device: 'GPU', name: 'a card', instructionSets: ['avx2'], computeCapability }) as const

test('float32 is everywhere', () => {
  assert.equal(supportsPrecision('float32', cpu()), true)
  assert.equal(supportsPrecision('float32', gpu(undefined)), true)
})

test('bfloat16 and float16 on a CPU need an extension that computes in them', () => {
  for (const extension of ['avx512_bf16', 'amx_bf16', 'avx_ne_convert']) {
    assert.equal(supportsPrecision('bfloat16', cpu('avx2', extension)), true)
  }
  assert.equal(supportsPrecision('float16', cpu('avx512_fp16')), true)
  assert.equal(
    supportsPrecision('bfloat16', cpu('avx2', 'avx512f')),
    'bfloat16 needs one of avx512_bf16, amx_bf16, avx_ne_convert on a CPU, found avx2 avx512f (a processor)',
  )
  assert.match(String(supportsPrecision('float16', cpu('avx512_bf16'))), /float16 needs one of avx512_fp16/)
  assert.match(String(supportsPrecision('float16', cpu())), /found none that this system reports/)
})

test('on a GPU float16 needs compute capability 7.0, bfloat16 8.0', () => {
  assert.equal(supportsPrecision('float16', gpu(7)), true)
  assert.equal(supportsPrecision('bfloat16', gpu(8.6)), true)
  assert.match(
    String(supportsPrecision('bfloat16', gpu(7.5))),
    /capability 8\.0 or more, found 7\.5 \(a card\)/,
  )
  assert.match(String(supportsPrecision('float16', gpu(6.1))), /capability 7\.0 or more, found 6\.1/)
  assert.match(String(supportsPrecision('float16', gpu(undefined))), /found unknown/)
})

test('the device is described', () => {
  const info = deviceInfo()
  assert.match(info.tensorflow, /^\d+\.\d+\.\d+/)
  assert.match(info.tfjs, /^4\./)
  assert.ok(info.threads >= 1 && info.cores >= 1)
  assert.ok(info.name.length > 0)
  assert.equal(deviceInfo(), info)
})

test('a set-up for CUDA without a card is an error at once', () => {
  const engine = join(__dirname, '../../lib/engine')
  const code = `console.log(require(${JSON.stringify(engine)}).deviceInfo().device)`
  const describe = (environment: { readonly [name: string]: string }) =>
    spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', code], {
      encoding: 'utf8',
      env: { ...process.env, WORKBOOK_DEVICE: 'cuda', ...environment },
    })
  // No machine has a card of that number.
  assert.match(
    describe({ CUDA_VISIBLE_DEVICES: '99' }).stderr,
    /expected a CUDA device, as .* set up for one/,
  )
  assert.equal(describe({ CUDA_VISIBLE_DEVICES: '' }).stdout, 'CPU\n')
})

test('a process computes with the given number of threads, and refuses anything else', () => {
  const loader = join(__dirname, '../../lib/engine/loader.cjs')
  const code = `console.log(require(${JSON.stringify(join(__dirname, '../../lib/engine'))}).deviceInfo().threads)`
  const start = (threads: string) =>
    spawnSync(process.execPath, ['--require', loader, '-e', code], {
      encoding: 'utf8',
      env: { ...process.env, [THREADS]: threads, CUDA_VISIBLE_DEVICES: '' },
    })
  for (const threads of ['1', '3']) assert.equal(start(threads).stdout, `${threads}\n`)
  for (const threads of ['two', '0', '1.5', ''])
    assert.match(
      start(threads).stderr,
      new RegExp(`WORKBOOK_THREADS: expected a number of threads, found "${threads}"`),
    )
})
