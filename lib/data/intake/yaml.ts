/** YAML of files of the user's: every scalar is the text that stands there. */
import { isCollection, isMap, isNode, isScalar } from 'yaml'
import { parseYamlText, YamlError } from '../../base'
import type { Report } from '../problem'

export interface Yaml {
  readonly value: unknown
  /** Line of the value at a path of keys, or of the last existing part of the path. */
  readonly lineOf: (path: readonly (string | number)[]) => number | undefined
}

/** The value of a YAML text, or undefined after reporting the line of an error. */
export function parseYaml(text: string, file: string, report: Report): Yaml | undefined {
  try {
    const { value, document, lines } = parseYamlText(text, 'failsafe')
    const items = isMap(document.contents) ? document.contents.items : []
    const values = new Map(items.map(({ key, value }) => [isScalar(key) ? key.value : key, value]))
    const lineOf: Yaml['lineOf'] = ([first, ...rest]) => {
      const top = values.get(first)
      for (let length = rest.length; length >= 0; length--) {
        const node =
          length === 0 ? top : isCollection(top) ? top.getIn(rest.slice(0, length), true) : undefined
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
      }
      return undefined
    }
    return { value, lineOf }
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    const { kind, line, message } = error
    report({ kind, file, line, message: kind === 'syntax' ? `expected YAML, found: ${message}` : message })
    return undefined
  }
}
