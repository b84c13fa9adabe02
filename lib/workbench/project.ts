import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { pathInside } from '../base/inside'

/** The project's folder. */
export const root = path.resolve(__dirname, '../..')

/** A path as readers of a page see it: from the project's folder if it lies inside, and whole otherwise. */
export function fromRoot(file: string): string {
  return pathInside(root, file) ?? file
}

/**
 * A program of the Python environment with TensorFlow and Jupyter: bootstrap.cjs's choice (WORKBOOK_PYTHON), else .venv.
 *
 * @throws if there is none
 */
export function pythonProgram(name: 'python' | 'jupyter' | 'papermill'): string {
  const python = process.env.WORKBOOK_PYTHON ?? path.join(root, '.venv/bin/python')
  const program = path.join(path.dirname(python), name)
  if (!existsSync(program)) {
    throw new Error(`${program} is missing: run "npx workbook setup", which makes the Python environment.`)
  }
  return program
}

/** Version of an installed npm package. */
export function packageVersion(name: string): string {
  const file = path.join(root, 'node_modules', name, 'package.json')
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown }
  if (typeof version !== 'string')
    throw new Error(`${file}: expected "version", found none. Run "npx workbook setup".`)
  return version
}
