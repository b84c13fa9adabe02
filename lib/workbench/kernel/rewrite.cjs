/**
 * Changes to the text of a cell, before TypeScript sees it and after it has compiled it to JavaScript, and the
 * mapping from places in that JavaScript back to the cell as typed.
 */
'use strict'

const { SourceMap } = require('node:module')
const ts = require('./typescript.cjs')

/** @typedef {import('typescript').Node} Node */
/** @typedef {{ line: number, character: number }} Place counted from 0 */
/** @typedef {{ at: number, removed?: number, text: string }} Edit replaces `removed` characters at `at` by `text` */

/** A cell becomes the body of this function. The functions with underscores check for an interrupt. */
const HEAD = '(async function (exports, require, { __now__, __resume__, __each__, __step__ }) {'
const TAIL = '\n})'

/**
 * Edits a text, in the order of the places.
 *
 * @param {string} source
 * @param {readonly Edit[]} edits
 */
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

/**
 * Maps a place in the edited text to the text before the edits.
 *
 * @param {number} position
 * @param {readonly Edit[]} edits
 */
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

/**
 * @param {string} text
 * @param {Place} place
 */
function offsetOf(text, { line, character }) {
  let start = 0
  for (let i = 0; i < line; i++) start = text.indexOf('\n', start) + 1
  return start + character
}

/**
 * @param {string} text
 * @param {number} offset
 */
function positionOf(text, offset) {
  const before = text.slice(0, offset)
  return {
    line: before.split('\n').length - 1,
    character: offset - (before.lastIndexOf('\n') + 1),
  }
}

/**
 * Names that a declaration binds.
 *
 * @param {import('typescript').BindingName} name
 * @returns {string[]}
 */
function boundNames(name) {
  if (ts.isIdentifier(name)) return [name.text]
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []))
}

/**
 * Spells out what tslab cannot handle in a cell: { x } becomes { x: x }, const { x: y } becomes const { 'x': y }, and
 * `export` is blanked, since every cell exports its declarations anyway.
 *
 * @param {string} source
 * @returns {{ text: string, declared: string[], placeIn: (position: Place) => Place }} the text; `declared`, the names of
 *   the values that the cell declares; `placeIn`, which maps a position of the text back into the cell as typed
 */
function writeOut(source) {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true)
  /** @type {Edit[]} */
  const edits = []
  /** @param {Node} node */
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
    const keywords = modifiersOf(statement)
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
  /** @param {Place} position */
  const placeIn = (position) =>
    positionOf(source, placeBefore(offsetOf(written.text, position), written.edits))
  return { text: written.text, declared, placeIn }
}

/**
 * If only a name is exported, TypeScript's conversion to CommonJS leaves closures with a copy of a variable that a
 * later cell changes. Exporting the declarations of variables themselves makes all cells share the variable.
 *
 * @param {string} source
 * @returns {{ text: string, placeIn: (position: Place) => Place }}
 */
function shareVariables(source) {
  const file = ts.createSourceFile('cell.js', source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  const list = file.statements.find(
    (statement) =>
      ts.isExportDeclaration(statement) && !statement.moduleSpecifier && exportedNames(statement),
  )
  if (!list) return { text: source, placeIn: (position) => position }
  const names = new Set(exportedNames(list))
  /** @type {Edit[]} */
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

/**
 * The names of `export { ... }`; undefined for other statements.
 *
 * @param {Node} statement
 */
function exportedNames(statement) {
  if (!ts.isExportDeclaration(statement)) return undefined
  const { exportClause } = statement
  return exportClause && ts.isNamedExports(exportClause)
    ? exportClause.elements.map(({ name }) => name.text)
    : undefined
}

/** @param {Node} node */
const modifiersOf = (node) => (ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [])

/**
 * The body of an async function; undefined for other nodes.
 *
 * @param {Node} node
 */
function asyncBody(node) {
  if (!ts.isFunctionLike(node) || !('body' in node)) return undefined
  return modifiersOf(node).some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) ? node.body : undefined
}

/**
 * The value of `Object.defineProperty(exports, 'name', ...)`, as TypeScript writes it: its name and expression.
 *
 * @param {Node} statement
 */
function definedExport(statement) {
  if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) return null
  const { expression, arguments: words } = statement.expression
  if (expression.getText() !== 'Object.defineProperty' || words[0]?.getText() !== 'exports') return null
  const [, name, about] = words
  if (!name || !ts.isStringLiteralLike(name)) return null
  return { name: name.text, value: about && returnedBy(about) }
}

/**
 * The expression that the getter of `{ get: function () { return expression; } }` returns, if there is one.
 *
 * @param {Node} about
 */
function returnedBy(about) {
  if (!ts.isObjectLiteralExpression(about)) return undefined
  for (const property of about.properties) {
    if (!ts.isPropertyAssignment(property) || property.name.getText() !== 'get') continue
    if (!ts.isFunctionExpression(property.initializer)) continue
    const [first] = property.initializer.body.statements
    if (first && ts.isReturnStatement(first)) return first.expression?.getText()
  }
  return undefined
}

/**
 * The JavaScript of a cell as the script that runs it. Imports become plain properties of `exports`. An async
 * function remembers when it began, and checks after each of its awaits whether there was an interrupt since; so
 * does every loop iteration.
 *
 * @param {string} output
 */
function toScript(output) {
  const source = `${HEAD}${output}${TAIL}`
  const file = ts.createSourceFile('cell.js', source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  /** @type {Edit[]} */
  const edits = []
  /**
   * @param {Node} node
   * @param {string} before
   * @param {string} after
   */
  const wrap = (node, before, after) => {
    edits.push({ at: node.getStart(file), text: before })
    return { at: node.end, text: after }
  }
  /**
   * @param {Node} node
   * @param {string} [began] the expression for when the function around it began
   */
  const visit = (node, began) => {
    const defined = definedExport(node)
    if (defined) {
      const text = defined.value === undefined ? '' : `exports.${defined.name} = ${defined.value};`
      edits.push({ at: node.getStart(file), removed: node.end - node.getStart(file), text })
      return
    }
    /** @type {Edit[]} */
    const after = []
    let inside = began
    const body = asyncBody(node)
    if (body) {
      inside = ts.isBlock(body) ? '__began__' : '__now__()'
      if (ts.isBlock(body)) {
        edits.push({ at: body.getStart(file) + 1, text: ' const __began__ = __now__();' })
      }
    } else if (ts.isAwaitExpression(node)) {
      after.push(wrap(node, `__resume__(${began}, `, ')'))
    } else if (ts.isIterationStatement(node, false)) {
      if (ts.isForOfStatement(node) && node.awaitModifier) {
        const { expression } = node
        edits.push(
          { at: expression.getStart(file), text: `__each__(${began}, ` },
          { at: expression.end, text: ')' },
        )
      }
      const { statement: turn } = node
      if (ts.isBlock(turn)) edits.push({ at: turn.getStart(file) + 1, text: ' __step__();' })
      else after.push(wrap(turn, '{ __step__(); ', ' }'))
    }
    ts.forEachChild(node, (child) => visit(child, inside))
    edits.push(...after)
  }
  visit(file)
  const script = applyEdits(source, edits)
  return {
    text: script.text,
    /**
     * The position in `output` that a position in the script comes from; null outside of it.
     *
     * @param {Place} position
     */
    placeIn: (position) => {
      const place = placeBefore(offsetOf(script.text, position), script.edits) - HEAD.length
      return place < 0 || place > output.length ? null : positionOf(output, place)
    },
  }
}

/**
 * Maps a place of a compiled text to its origin by the source map, or null.
 *
 * @param {SourceMap} map
 * @param {Place} place
 * @returns {Place | null}
 */
function originOf(map, { line, character }) {
  const found = map.findEntry(line, character)
  return 'originalLine' in found ? { line: found.originalLine, character: found.originalColumn } : null
}

const MAP_COMMENT = /\n\/\/# sourceMappingURL=(?:data:application\/json;base64,(\S+)|\S+)\s*$/

/**
 * Splits the source map off a compiled text.
 *
 * @param {string} text
 */
function splitMap(text) {
  const [comment, base64] = MAP_COMMENT.exec(text) ?? ['']
  return {
    text: text.slice(0, text.length - comment.length),
    map: base64 && new SourceMap(JSON.parse(Buffer.from(base64, 'base64').toString())),
  }
}

module.exports = { boundNames, originOf, shareVariables, splitMap, toScript, writeOut }
