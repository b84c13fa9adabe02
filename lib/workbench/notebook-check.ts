import path from 'node:path'
import { joined, readNotebook } from './notebooks'
import { root } from './project'

interface Diagnostic {
  start: { line: number; character: number }
  messageText: string
  fileName?: string
}

interface Converter {
  convert(declarations: string, source: string): { diagnostics: Diagnostic[]; declOutput?: string }
}

/** What is wrong with the form of a notebook: stored outputs or execution counts, another format or kernel. */
export function checkForm(file: string): string[] {
  const notebook = readNotebook(file)
  const problems: string[] = []
  if (notebook.nbformat !== 4) problems.push(`nbformat ${notebook.nbformat}, expected 4`)
  const { kernelspec } = (notebook.metadata ?? {}) as { kernelspec?: { name?: unknown } }
  if (kernelspec?.name !== 'tslab') problems.push(`kernel ${String(kernelspec?.name)}, expected tslab`)
  for (const [i, cell] of notebook.cells.entries()) {
    if (cell.cell_type !== 'code') continue
    if (cell.outputs?.length) problems.push(`cell ${i + 1} has stored outputs`)
    if (cell.execution_count != null) problems.push(`cell ${i + 1} has a stored execution count`)
  }
  return problems.map((problem) => `${path.relative(root, file)}: ${problem}`)
}

/**
 * Type-checks the cells of notebooks in order, with the kernel's own compiler and without running them.
 * The working directory must be the project's root.
 */
export function checkTypes(files: readonly string[]): string[] {
  const compiler = require('./kernel-compiler.cjs') as {
    createConverters(): { node: Converter; close(): void }
  }
  const converters = compiler.createConverters()
  try {
    return files.flatMap((file) => checkCells(file, converters.node))
  } finally {
    converters.close()
  }
}

function checkCells(file: string, converter: Converter): string[] {
  const problems: string[] = []
  let declarations = ''
  for (const [i, cell] of readNotebook(file).cells.entries()) {
    if (cell.cell_type !== 'code') continue
    const { diagnostics, declOutput } = converter.convert(declarations, joined(cell.source))
    for (const { start, messageText, fileName } of diagnostics) {
      const where = fileName ?? `${path.relative(root, file)} cell ${i + 1}`
      problems.push(`${where} ${start.line + 1}:${start.character + 1} - ${messageText}`)
    }
    if (diagnostics.length === 0) declarations = declOutput ?? ''
  }
  return problems
}
