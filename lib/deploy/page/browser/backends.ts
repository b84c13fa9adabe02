/** Where the networks run: what this browser has, the fastest first. */
import '@tensorflow/tfjs-backend-webgl'
import '@tensorflow/tfjs-backend-webgpu'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { env, ready, setBackend } from '@tensorflow/tfjs-core'

export type BackendName = 'webgpu' | 'webgl' | 'wasm'

export interface Backend {
  readonly name: BackendName
  readonly title: string
  /** Why it cannot be chosen; absent where it can. */
  readonly missing?: string
  /** Whether a processor only plays a graphics card: slower than WebAssembly. */
  readonly software?: boolean
}

/** What the browser says it has. Which one is best comes first in the list of those that are not played by software. */
export async function findBackends(): Promise<Backend[]> {
  return [await webgpu(), webgl(), wasm()]
}

/** The backend to begin with. */
export function preferred(backends: readonly Backend[]): BackendName {
  const able = backends.filter(({ missing }) => missing === undefined)
  return (able.find(({ software }) => !software) ?? able[0])?.name ?? 'wasm'
}

/** @throws Error where the backend does not start after all */
export async function useBackend(name: BackendName, wasmUrl: string): Promise<void> {
  if (name === 'wasm') {
    // Threads need headers that a file cannot send.
    env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
    const binaries = ['', '-simd', '-threaded-simd'].map((kind) => [`tfjs-backend-wasm${kind}.wasm`, wasmUrl])
    setWasmPaths(Object.fromEntries(binaries))
  }
  if (!(await setBackend(name))) throw new Error(`${name} did not start in this browser`)
  await ready()
}

interface GraphicsAdapter {
  readonly isFallbackAdapter?: boolean
  readonly info?: { readonly architecture?: string; readonly isFallbackAdapter?: boolean }
}

async function webgpu(): Promise<Backend> {
  const base = { name: 'webgpu', title: 'WebGPU' } as const
  const { gpu }: { readonly gpu?: { requestAdapter(): Promise<GraphicsAdapter | null> } } = navigator
  const adapter = await gpu?.requestAdapter().catch(() => null)
  if (!adapter) return { ...base, missing: 'not in this browser' }
  const { isFallbackAdapter, info } = adapter
  const software = isFallbackAdapter || info?.isFallbackAdapter || info?.architecture === 'swiftshader'
  return { ...base, ...(software && { software }) }
}

function webgl(): Backend {
  const base = { name: 'webgl', title: 'WebGL' } as const
  const context = document.createElement('canvas').getContext('webgl2')
  if (!context) return { ...base, missing: 'not in this browser' }
  const details = context.getExtension('WEBGL_debug_renderer_info')
  const renderer: unknown = details ? context.getParameter(details.UNMASKED_RENDERER_WEBGL) : ''
  const software = /swiftshader|llvmpipe|software/i.test(String(renderer))
  context.getExtension('WEBGL_lose_context')?.loseContext()
  return { ...base, ...(software && { software }) }
}

function wasm(): Backend {
  const base = { name: 'wasm', title: 'WebAssembly' } as const
  return typeof WebAssembly === 'object' ? base : { ...base, missing: 'not in this browser' }
}
