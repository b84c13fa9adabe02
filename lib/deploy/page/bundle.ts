/** The browser's half of the page as one script, and the WebAssembly that it may run on. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** TypeScript of browser/ and TF.js, minified. @throws Error where esbuild, a package for development, is not installed */
export async function bundleScript(): Promise<string> {
  const { build } = esbuild()
  const { outputFiles } = await build({
    entryPoints: [join(__dirname, 'browser/main.ts')],
    ...{ bundle: true, minify: true, write: false, format: 'iife', platform: 'browser' },
    ...{ target: 'es2022', charset: 'utf8', legalComments: 'none', logLevel: 'silent' },
  })
  return outputFiles[0]!.text
}

/** TF.js' WebAssembly with SIMD, which every browser that has WebAssembly has had for years. */
export function wasmUrl(): string {
  const file = require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm')
  return `data:application/wasm;base64,${readFileSync(file).toString('base64')}`
}

function esbuild(): typeof import('esbuild') {
  try {
    return require('esbuild') as typeof import('esbuild')
  } catch (cause) {
    throw new Error('page: expected the package esbuild, found none; npm install installs it', { cause })
  }
}
