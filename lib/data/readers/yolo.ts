import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import type { Report } from '../problem'
import { filledLines, type ParsedBox, type ParsedImage, parseNumber, parseWith } from './parsed'

/**
 * One YOLO label file: lines "class cx cy width height", as shares of the image's size. An empty file is an
 * image without objects.
 */
export function parseYolo(
  content: string,
  file: string,
  classes: readonly string[],
  report: Report,
): ParsedImage {
  const boxes: ParsedBox[] = []
  for (const { text, line } of filledLines(content)) {
    const fields = text.split(/\s+/)
    if (fields.length !== 5) {
      const message = `expected 5 fields (class cx cy width height), found ${fields.length}: "${text}"`
      report({ kind: 'syntax', file, line, message })
      continue
    }
    const number = (i: number, what: string) => parseNumber(fields[i], what, { file, line }, report)
    const [label, cx, cy, w, h] = [
      number(0, 'class'),
      number(1, 'cx'),
      number(2, 'cy'),
      number(3, 'width'),
      number(4, 'height'),
    ]
    if (label === undefined || cx === undefined || cy === undefined || w === undefined || h === undefined)
      continue
    const name = classes[label]
    if (name === undefined) {
      const message = `expected a class of 0 .. ${classes.length - 1}, found ${fields[0]}`
      report({ kind: 'unknown class', file, line, message })
      continue
    }
    boxes.push({ x1: cx - w / 2, y1: cy - h / 2, x2: cx + w / 2, y2: cy + h / 2, name, line })
  }
  return { image: file, boxes, relative: true, source: file }
}

/** What a data.yaml (Ultralytics) or obj.data (Darknet) says; paths are as written. */
export interface YoloConfig {
  /** Class names, or the file that lists them. */
  readonly names?: readonly string[] | string
  /** Folder that the other paths start from. */
  readonly path?: string
  readonly train?: readonly string[]
  readonly validation?: readonly string[]
  readonly test?: readonly string[]
}

const paths = z
  .string()
  .transform((path) => [path])
  .or(z.array(z.string()))
  .nullish()
  .transform((list) => list ?? undefined)
const yamlSchema = z.object({
  names: z.array(z.string()).or(z.record(z.coerce.number().int().min(0), z.string())),
  path: z.string().optional(),
  train: paths,
  val: paths,
  test: paths,
})

export function parseYoloYaml(content: string, file: string, report: Report): YoloConfig | undefined {
  const lines = new LineCounter()
  const document = parseDocument(content, { lineCounter: lines })
  const error = document.errors[0]
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0])
    report({ kind: 'syntax', file, line, message: `expected YAML, found: ${error.message.split('\n')[0]}` })
    return undefined
  }
  const config = parseWith(yamlSchema, document.toJS(), { file }, report)
  if (config === undefined) return undefined
  const { names, path, train, val, test } = config
  return {
    names: Array.isArray(names) ? names : numbered(names, file, report),
    path,
    train,
    validation: val,
    test,
  }
}

function numbered(names: Partial<Record<number, string>>, file: string, report: Report): string[] {
  const count = Object.keys(names).length
  return Array.from({ length: count }, (_, i) => {
    const name = names[i]
    if (name === undefined)
      report({
        kind: 'syntax',
        file,
        key: 'names',
        message: `expected the keys 0 .. ${count - 1}, found no ${i}`,
      })
    return name ?? ''
  })
}

/** Darknet's obj.data: lines "key = value". */
export function parseYoloData(content: string, file: string, report: Report): YoloConfig {
  const entries = new Map<string, string>()
  for (const { text, line } of filledLines(content)) {
    const [key, value] = text.split('=').map((part) => part.trim())
    if (key === undefined || value === undefined)
      report({ kind: 'syntax', file, line, message: `expected "key = value", found "${text}"` })
    else entries.set(key, value)
  }
  const list = (key: string) => {
    const value = entries.get(key)
    return value === undefined ? undefined : [value]
  }
  return { names: entries.get('names'), train: list('train'), validation: list('valid'), test: list('test') }
}
