/** The device this process computes on, and the precisions it supports. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { nativeBackend, tf } from './native'
import type { Precision } from './precision'

/** What computes here. */
export interface DeviceInfo {
  readonly device: 'CPU' | 'GPU'
  /** The processor's or the graphics card's name. */
  readonly name: string
  /** The CPU's vector and matrix extensions, by Linux's names; empty where the system does not report them. */
  readonly instructionSets: readonly string[]
  /** CUDA compute capability, such as 8.6; undefined on a CPU. */
  readonly computeCapability: number | undefined
  /** Whether float32 convolutions on this card use TF32: the default from Ampere on; NVIDIA_TF32_OVERRIDE=0 turns it off. */
  readonly tensorFloat32: boolean
  /** Whether the card runs only kernels that give the same bits every time: the default; --no-deterministic turns it off. */
  readonly deterministic: boolean
  /** Whether XLA compiles for the card: the default; --no-xla turns it off. */
  readonly xla: boolean
  /** Computing threads on the CPU. */
  readonly threads: number
  readonly cores: number
  /** Versions of TensorFlow's native library and of tfjs. */
  readonly tensorflow: string
  readonly tfjs: string
}

/** Environment variable with a process's number of threads (loader.cjs); the same number gives the same bits. */
export const THREADS = 'WORKBOOK_THREADS'

/** Ampere. */
export const TF32_CAPABILITY = 8
const CPU_FLAGS = '/proc/cpuinfo'
const VECTOR_EXTENSION = /^(avx|amx|fma|sse4|asimd|sve|sme$|sme2|i8mm|bf16|fphp)/

let known: DeviceInfo | undefined

/**
 * Describes the device; asks the system once.
 * @throws Error when the workbook was set up for CUDA and TensorFlow computes on the CPU, unless the cards were hidden
 */
export function deviceInfo(): DeviceInfo {
  if (known) return known
  const { binding } = nativeBackend()
  const card = binding.isUsingGpuDevice() ? graphicsCard() : undefined
  if (!card && process.env.WORKBOOK_DEVICE === 'cuda' && process.env.CUDA_VISIBLE_DEVICES !== '') {
    throw new Error(
      'expected a CUDA device, as the workbook is set up for one, found the CPU alone: see nvidia-smi; to compute on the ' +
        'CPU set CUDA_VISIBLE_DEVICES to nothing, or run "npx workbook setup --cpu"',
    )
  }
  const cores = availableParallelism()
  const capability = card?.computeCapability ?? 0
  known = {
    device: card ? 'GPU' : 'CPU',
    name: card?.name ?? cpus()[0]?.model.trim() ?? 'unknown',
    instructionSets: instructionSets(),
    computeCapability: card?.computeCapability,
    tensorFloat32: capability >= TF32_CAPABILITY && process.env.NVIDIA_TF32_OVERRIDE !== '0',
    deterministic: card === undefined || isOn(process.env.TF_DETERMINISTIC_OPS),
    xla: card !== undefined && /--tf_xla_auto_jit=(1|2|fusible)/.test(process.env.TF_XLA_FLAGS ?? ''),
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS) || cores,
    cores,
    tensorflow: binding.TF_Version,
    tfjs: tf.version['tfjs-core'],
  }
  return known
}

/** Reads a switch as TensorFlow does. */
const isOn = (value: string | undefined): boolean => value === '1' || value?.toLowerCase() === 'true'

function instructionSets(): string[] {
  if (!existsSync(CPU_FLAGS)) return []
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync(CPU_FLAGS, 'utf8'))?.[1] ?? ''
  return flags.split(/\s+/).filter((flag) => VECTOR_EXTENSION.test(flag))
}

/** TensorFlow's C API does not report a card's capability; nvidia-smi, which comes with the driver, does. */
function graphicsCard(): { name: string; computeCapability: number | undefined } {
  try {
    const query = ['--query-gpu=name,compute_cap', '--format=csv,noheader']
    const [first = ''] = execFileSync('nvidia-smi', query, { encoding: 'utf8', timeout: 10_000 }).split('\n')
    const [name = 'unknown', capability] = first.split(',').map((part) => part.trim())
    return { name, computeCapability: Number(capability) || undefined }
  } catch {
    return { name: 'unknown (nvidia-smi did not answer)', computeCapability: undefined }
  }
}

/** With any of these a CPU computes in the precision natively; emulation is slower than float32. */
const CPU_EXTENSIONS = {
  bfloat16: ['avx512_bf16', 'amx_bf16', 'avx_ne_convert'],
  float16: ['avx512_fp16'],
} as const

/** Needed for tensor cores of the type: float16 from Volta on, bfloat16 from Ampere on. */
const COMPUTE_CAPABILITY = { bfloat16: 8, float16: 7 } as const

/** True, or why the device does not compute in that precision. */
export function supportsPrecision(
  precision: Precision,
  device: Pick<DeviceInfo, 'device' | 'name' | 'instructionSets' | 'computeCapability'> = deviceInfo(),
): true | string {
  if (precision === 'float32') return true
  if (device.device === 'GPU') {
    const needed = COMPUTE_CAPABILITY[precision]
    const found = device.computeCapability
    if (found !== undefined && found >= needed) return true
    return `${precision} needs CUDA compute capability ${needed}.0 or more, found ${found?.toFixed(1) ?? 'unknown'} (${device.name})`
  }
  const extensions = CPU_EXTENSIONS[precision]
  if (extensions.some((extension) => device.instructionSets.includes(extension))) return true
  const found = device.instructionSets.join(' ') || `none that this system reports`
  return `${precision} needs one of ${extensions.join(', ')} on a CPU, found ${found} (${device.name})`
}
