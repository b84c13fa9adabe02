/**
 * What is changed in the text of a cell, before TypeScript sees it and after it has made JavaScript of it, and the way
 * back from a place in that JavaScript to the cell as it was typed.
 */
'use strict'

const { SourceMap } = require('node:module')
const ts = require('./typescript.cjs')

/** A cell becomes the body of this function. What begins with underscores looks whether there was an interrupt. */
const HEAD = '(async function (exports, require, { __now__, __resume__, __each__, __step__ }) {'
const TAIL = '\n})'

/** Edits of a text, in the order of their places: `removed` characters at `at` give way to `text`. */
function applyEdits(source, edits) {
  const sorted = edits.map((edit, i) => ({ ...edit, i })).sort((a, b) => a.at - b.at || a.i - b.i)
  let text = ''
  let from = 0
  for (const { at, removed = 0, text: inserted } of sorted) {
    text += source.slice(from, at) + inserted
    from = at + removed
  }
  return { text: text + source.slice(from), edits: sorted }
}

/** The place in the text before the edits that a place in the edited text comes from. */
function placeBefore(position, edits) {
  let shift = 0
  for (const { at, removed = 0, text } of edits) {
    if (at + shift >= position) break
    const end = at + shift + text.length
    if (position <= end) return at + Math.min(removed, position - at - shift)
    shift += text.length - removed
  }
  return position - shift
}

function offsetOf(text, { line, character }) {
  let start = 0
  for (let i = 0; i < line; i++) start = text.indexOf('\n', start) + 1
  return start + character
}

function positionOf(text, offset) {
  const before = text.slice(0, offset)
  return {
    line: before.split('\n').length - 1,
    character: offset - (before.lastIndexOf('\n') + 1),
  }
}

/** Names that a declaration binds. */
function boundNames(name) {
  if (ts.isIdentifier(name)) return [name.text]
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []))
}

/**
 * A cell with what tslab trips over written out: { x } becomes { x: x }, const { x: y } becomes const { 'x': y }, and
 * `export` is blanked, since every cell exports what it declares anyway.
 *
 * @returns the text; `declared`, the names of the values that the cell declares; `placeIn`, which moves a position of the
 *   text back into the cell as it was typed
 */
function writeOut(source) {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true)
  const edits = []
  const visit = (node) => {
    if (ts.isShorthandPropertyAssignment(node)) {
      edits.push({ at: node.name.end, text: `: ${node.name.text}` })
    } else if (ts.isBindingElement(node) && node.propertyName && ts.isIdentifier(node.propertyName)) {
      const { propertyName } = node
      edits.push({ at: propertyName.getStart(file), text: "'" }, { at: propertyName.end, text: "'" })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  const declared = []
  for (const statement of file.statements) {
    const keywords = statement.modifiers ?? []
    const isDefault = keywords.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
    const exported = keywords.find(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    if (exported && !isDefault) {
      const at = exported.getStart(file)
      edits.push({ at, removed: exported.end - at, text: ' '.repeat(exported.end - at) })
    }
    if (ts.isVariableStatement(statement)) {
      declared.push(...statement.declarationList.declarations.flatMap(({ name }) => boundNames(name)))
    } else if (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isEnumDeclaration(statement) ||
        ts.isModuleDeclaration(statement)) &&
      statement.name
    ) {
      declared.push(statement.name.text)
    }
  }
  const written = applyEdits(source, edits)
  const placeIn = (position) =>
    positionOf(source, placeBefore(offsetOf(written.text, position), written.edits))
  return { text: written.text, declared, placeIn }
}

/**
 * Where only a name is exported, TypeScript's step from modules to CommonJS leaves closures with a copy of a variable that a
 * later cell changes. So the declarations of variables are exported themselves: then all cells share the one variable.
 */
function shareVariables(source) {
  const file = ts.createSourceFile('cell.js', source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  const list = file.statements.find(
    (statement) =>
      ts.isExportDeclaration(statement) &&
      !statement.moduleSpecifier &&
      ts.isNamedExports(statement.exportClause),
  )
  if (!list) return { text: source, placeIn: (position) => position }
  const names = new Set(list.exportClause.elements.map(({ name }) => name.text))
  const edits = []
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement) || statement.modifiers?.length) continue
    if (statement.declarationList.flags & ts.NodeFlags.Const) continue
    const own = statement.declarationList.declarations.flatMap(({ name }) => boundNames(name))
    if (!own.every((name) => names.has(name))) continue
    for (const name of own) names.delete(name)
    edits.push({ at: statement.getStart(file), text: 'export ' })
  }
  const at = list.getStart(file)
  edits.push({ at, removed: list.end - at, text: `export { ${[...names].join(', ')} };` })
  const shared = applyEdits(source, edits)
  return {
    text: shared.text,
    placeIn: (position) => positionOf(source, placeBefore(offsetOf(shared.text, position), shared.edits)),
  }
}

const isAsync = (node) =>
  ts.isFunctionLike(node) &&
  node.body &&
  node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)

/** The value of `Object.defineProperty(exports, 'name', ...)`, as TypeScript writes it: its name and expression. */
function definedExport(statement) {
  if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) return null
  const { expression, arguments: words } = statement.expression
  if (expression.getText() !== 'Object.defineProperty' || words[0]?.getText() !== 'exports') return null
  const getter = words[2]?.properties?.find(({ name }) => name.text === 'get')
  const value = getter?.initializer.body.statements[0].expression
  return { name: words[1].text, value: value?.getText() }
}

/**
 * The JavaScript of a cell as the script that runs it. What is imported becomes a plain property of `exports`. An async
 * function remembers when it began, and behind each of its awaits it is seen whether there was an interrupt since; so it
 * is in every turn of a loop.
 */
function toScript(output) {
  const source = `${HEAD}${output}${TAIL}`
  const file = ts.createSourceFile('cell.js', source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  const edits = []
  const wrap = (node, before, after) => {
    edits.push({ at: node.getStart(file), text: before })
    return { at: node.end, text: after }
  }
  const visit = (node, began) => {
    const defined = definedExport(node)
    if (defined) {
      const text = defined.value === undefined ? '' : `exports.${defined.name} = ${defined.value};`
      edits.push({ at: node.getStart(file), removed: node.end - node.getStart(file), text })
      return
    }
    const after = []
    let inside = began
    if (isAsync(node)) {
      inside = ts.isBlock(node.body) ? '__began__' : '__now__()'
      if (ts.isBlock(node.body)) {
        edits.push({ at: node.body.getStart(file) + 1, text: ' const __began__ = __now__();' })
      }
    } else if (ts.isAwaitExpression(node)) {
      after.push(wrap(node, `__resume__(${began}, `, ')'))
    } else if (ts.isIterationStatement(node, false)) {
      if (node.awaitModifier) {
        const { expression } = node
        edits.push(
          { at: expression.getStart(file), text: `__each__(${began}, ` },
          { at: expression.end, text: ')' },
        )
      }
      const { statement: body } = node
      if (ts.isBlock(body)) edits.push({ at: body.getStart(file) + 1, text: ' __step__();' })
      else after.push(wrap(body, '{ __step__(); ', ' }'))
    }
    ts.forEachChild(node, (child) => visit(child, inside))
    edits.push(...after)
  }
  visit(file)
  const script = applyEdits(source, edits)
  return {
    text: script.text,
    /** The position in `output` that a position in the script comes from; null outside of it. */
    placeIn: (position) => {
      const place = placeBefore(offsetOf(script.text, position), script.edits) - HEAD.length
      return place < 0 || place > output.length ? null : positionOf(output, place)
    },
  }
}

/** Where a place of a compiled text comes from by its source map, or null. */
function originOf(map, { line, character }) {
  const { originalLine, originalColumn } = map.findEntry(line, character)
  return originalLine === undefined ? null : { line: originalLine, character: originalColumn }
}

const MAP_COMMENT = /\n\/\/# sourceMappingURL=(?:data:application\/json;base64,(\S+)|\S+)\s*$/

/** Takes the source map out of a compiled text that carries it. */
function splitMap(text) {
  const [comment, base64] = MAP_COMMENT.exec(text) ?? ['']
  return {
    text: text.slice(0, text.length - comment.length),
    map: base64 && new SourceMap(JSON.parse(Buffer.from(base64, 'base64').toString())),
  }
}

module.exports = { boundNames, originOf, shareVariables, splitMap, toScript, writeOut }
