/** Parses users' XML into a tree with lines: one pass, bounded depth, no entities except XML's own five. */
import { SaxesParser } from 'saxes'
import type { Problem } from '../problem'

/** Maximum nesting. */
const MOST_DEPTH = 100
/** Longest text: each of its elements takes about 150 bytes of memory. */
const MOST_CHARACTERS = 2 ** 24

export interface XmlElement {
  readonly name: string
  /** Line on which it begins. */
  readonly line: number
  /** Its own text, trimmed. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

class XmlError extends Error {
  constructor(
    readonly kind: Problem['kind'],
    readonly line: number,
    message: string,
  ) {
    super(message)
  }
}

/** The root element of an XML text, or what is wrong with it. */
export function parseXml(text: string, file: string): XmlElement | Problem {
  if (text.length > MOST_CHARACTERS) {
    const message = `expected at most ${MOST_CHARACTERS} characters of XML, found ${text.length}`
    return { kind: 'limit', file, message }
  }
  interface Open {
    name: string
    line: number
    text: string
    children: XmlElement[]
  }
  const document: Open = { name: '', line: 1, text: '', children: [] }
  const open: Open[] = [document]
  const parser = new SaxesParser()
  parser.on('error', ({ message }) => {
    throw new XmlError('syntax', parser.line, message.replace(/^(\d+:)*\d+: /, ''))
  })
  parser.on('opentagstart', ({ name }) => {
    if (open.length > MOST_DEPTH)
      throw new XmlError('limit', parser.line, `elements nested more than ${MOST_DEPTH} deep`)
    open.push({ name, line: parser.line, text: '', children: [] })
  })
  const addText = (part: string) => {
    open.at(-1)!.text += part
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    const done = open.pop()!
    open.at(-1)!.children.push({ ...done, text: done.text.trim() })
  })
  try {
    parser.write(text).close()
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    const message = `expected well-formed XML, found: ${error.message}`
    return { kind: error.kind, file, line: error.line, message }
  }
  return document.children[0]!
}

/** The first element of that name within an element. */
export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((inner) => inner.name === name)
}
