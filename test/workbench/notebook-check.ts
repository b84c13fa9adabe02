import path from 'node:path'
import { joined, readNotebook } from '../../lib/workbench/notebook-file'
import { root } from '../../lib/workbench/project'

/** The part of the kernel's compiler used here; see kernel/compiler.cjs. */
interface Compiler {
  compile(source: string, declarations: string): Compiled
  close(): void
}
interface Compiled {
  diagnostics: { line: number; character: number; fileName?: string; message: string }[]
  compiled?: { declarations: string }
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
export async function checkTypes(files: readonly string[]): Promise<string[]> {
  const { makeDeclarations } = require('../../lib/workbench/kernel/declarations.cjs') as {
    makeDeclarations(): Promise<void>
  }
  await makeDeclarations()
  const { createCompiler } = require('../../lib/workbench/kernel/compiler.cjs') as {
    createCompiler(): Compiler
  }
  const compiler = createCompiler()
  try {
    return files.flatMap((file) => checkCells(file, compiler))
  } finally {
    compiler.close()
  }
}

function checkCells(file: string, compiler: Compiler): string[] {
  const problems: string[] = []
  let declarations = ''
  for (const [i, cell] of readNotebook(file).cells.entries()) {
    if (cell.cell_type !== 'code') continue
    const { diagnostics, compiled } = compiler.compile(joined(cell.source), declarations)
    for (const { line, character, fileName, message } of diagnostics) {
      const where = fileName ?? `${path.relative(root, file)} cell ${i + 1}`
      problems.push(`${where} ${line + 1}:${character + 1} - ${message}`)
    }
    declarations = compiled?.declarations ?? declarations
  }
  return problems
}
