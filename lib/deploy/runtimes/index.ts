/** The runtimes that files are run in: which file each takes, where it is installed, and how it is had where it is not. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FileFormat } from '../metadata'

/** Python environment of the runtimes that `npx workbook setup --deploy` installs, and the list of their packages. */
export const DEPLOY_ENVIRONMENT = join(__dirname, '../../../.cache/deploy-venv')
export const DEPLOY_PACKAGES = join(__dirname, 'requirements.txt')

export const DEPLOY_COMMAND = 'npm run setup -- --deploy'

/** The runtimes: programs that run one format. */
export const RUNTIMES = [
  'library',
  'saved-model',
  'onnxruntime',
  'openvino',
  'opencv',
  'litert',
  'tfjs',
] as const
/** A program that runs exported files. */
export type RuntimeName = (typeof RUNTIMES)[number]

interface Runtime {
  /** For people. */
  readonly title: string
  readonly format: FileFormat
  /** Module of the optional Python environment; none where it is installed anyway. */
  readonly module?: string
}

/** The runtimes: what they are called, and what they read. */
export const RUNTIME: { readonly [name in RuntimeName]: Runtime } = {
  library: { title: 'this library', format: 'checkpoint' },
  'saved-model': { title: 'TensorFlow', format: 'saved-model' },
  onnxruntime: { title: 'ONNX Runtime', format: 'onnx', module: 'onnxruntime' },
  openvino: { title: 'OpenVINO', format: 'onnx', module: 'openvino' },
  opencv: { title: 'OpenCV', format: 'onnx', module: 'cv2' },
  litert: { title: 'LiteRT', format: 'tflite' },
  tfjs: { title: 'TF.js (WebAssembly)', format: 'tfjs' },
}

/** Python with TensorFlow, as the set-up chose it. */
export function tensorFlowPython(): string {
  const python = process.env.WORKBOOK_PYTHON ?? join(__dirname, '../../../.venv/bin/python')
  if (!existsSync(python)) {
    throw new Error(`${python} is missing: run "npx workbook setup", which makes the Python environment`)
  }
  return python
}

const deployPython = join(DEPLOY_ENVIRONMENT, 'bin/python')
const installed = new Map<RuntimeName, boolean>()

/** Whether a runtime can be started here; asks its Python once. */
export function isInstalled(name: RuntimeName): boolean {
  const { module } = RUNTIME[name]
  if (module === undefined) return true
  const known = installed.get(name)
  if (known !== undefined) return known
  const found =
    existsSync(deployPython) &&
    spawnSync(deployPython, [
      '-c',
      `import importlib.util as u, sys; sys.exit(u.find_spec("${module}") is None)`,
    ]).status === 0
  installed.set(name, found)
  return found
}

/** What to do about a runtime that is not installed. */
export const notInstalled = (name: RuntimeName): string =>
  `${RUNTIME[name].title} is not installed here: ${DEPLOY_COMMAND}`

const LOADER = join(__dirname, '../../engine/loader.cjs')
const PLAIN_LOADER = join(__dirname, '../../../node_modules/tsx/dist/cjs/index.cjs')

/** The program and its first arguments that run a file in a runtime; the file and the settings follow. */
export function programOf(name: RuntimeName): readonly [program: string, ...words: string[]] {
  if (name === 'library') return [process.execPath, '--require', LOADER, join(__dirname, 'checkpoint.ts')]
  if (name === 'tfjs') return [process.execPath, '--require', PLAIN_LOADER, join(__dirname, 'tfjs.ts')]
  // TensorFlow has an older interpreter of TFLite files itself, where the optional environment is not there.
  const isOptional = name !== 'saved-model' && (name !== 'litert' || existsSync(deployPython))
  const python = isOptional ? deployPython : tensorFlowPython()
  return [python, join(__dirname, 'run.py'), name]
}
