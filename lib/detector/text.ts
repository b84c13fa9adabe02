import type { Layer } from './spec'

const LAYER = '\u0001'

/**
 * A document that holds networks as JSON with indents, but for layers and lists of numbers, which take a line each.
 */
export function networkText(document: object): string {
  const text = JSON.stringify(
    document,
    (_, value) => (isLayers(value) ? value.map((layer) => LAYER + JSON.stringify(layer)) : value),
    2,
  )
  return `${text
    .replace(/"\\u0001(?:[^"\\]|\\.)*"/g, (string) => String(JSON.parse(string)).slice(LAYER.length))
    .replace(/\[\n[\d\s.,]+\]/g, onOneLine)}\n`
}

const isLayers = (value: unknown): value is readonly Layer[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((entry) => entry instanceof Object && 'kind' in entry && 'part' in entry)

const onOneLine = (list: string) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']')
