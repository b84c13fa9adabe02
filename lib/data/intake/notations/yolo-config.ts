/** YOLO's data.yaml (Ultralytics) and obj.data (Darknet): classes, and where the splits are. */
import { posix } from 'node:path'
import { z } from 'zod'
import { recordOf } from '../../../base'
import type { Report } from '../../problem'
import type { SplitName } from '../../types'
import { classNames } from '../classes'
import { parseWith } from '../json'
import type { Prepared, Surroundings, TextFile } from '../notation'
import { folderOf, stemOf } from '../paths'
import { SplitCollector, splitOfName } from '../splits'
import { shortened } from '../text'
import { parseYaml } from '../yaml'

/** A path in a configuration, with its line. */
export interface NamedPath {
  readonly path: string
  readonly line?: number
}

/** Content of a configuration; paths are as written. */
export interface YoloConfig {
  readonly names?: readonly string[]
  /** File of the names. */
  readonly namesFile?: NamedPath
  /** Folder that the other paths are relative to. */
  readonly base?: string
  readonly splits: readonly { readonly split: SplitName; readonly paths: readonly NamedPath[] }[]
  /** Number of values after the box in a line with key points. */
  readonly keypointColumns?: number
}

const SPLIT_KEYS = [
  ['train', 'train'],
  ['val', 'validation'],
  ['valid', 'validation'],
  ['validation', 'validation'],
  ['test', 'test'],
  // This library's own keys, for what YOLO lacks.
  ['unlabelled', 'unlabelled'],
  ['shifted', 'shifted'],
] as const

const paths = z.string().or(z.array(z.string())).nullish()
const yamlSchema = z.object({
  names: z.array(z.string()).or(recordOf(z.string())).or(z.string()).optional(),
  nc: z.string().optional(),
  path: z.string().nullish(),
  train: paths,
  val: paths,
  valid: paths,
  validation: paths,
  test: paths,
  unlabelled: paths,
  shifted: paths,
  kpt_shape: z.array(z.string()).optional(),
})

/** Whether a text is YAML with the content of YOLO's configuration. */
export function isYoloYaml({ text }: TextFile): boolean {
  return /^["']?names["']?[ \t]*:/m.test(text) && /^["']?(train|val|valid|test|nc)["']?[ \t]*:/m.test(text)
}

export function parseYoloYaml(text: string, file: string, report: Report): YoloConfig | undefined {
  const yaml = parseYaml(text, file, report)
  if (yaml === undefined) return undefined
  const config = parseWith(yamlSchema, yaml.value, { file }, report)
  if (config === undefined) return undefined
  const isFile = typeof config.names === 'string'
  const names = Array.isArray(config.names)
    ? config.names
    : typeof config.names === 'string'
      ? undefined
      : numbered(config.names, file, report)
  if (names !== undefined && config.nc !== undefined && Number(config.nc) !== names.length) {
    const message = `expected the names of nc = ${config.nc} classes, found ${names.length}`
    report({ kind: 'unknown class', file, line: yaml.lineOf(['names']), key: 'names', message })
  }
  const splits = SPLIT_KEYS.flatMap(([key, split]) => {
    const value = config[key]
    const list = typeof value === 'string' ? [value] : (value ?? [])
    const named = list
      .map((path, i) => ({ path, line: yaml.lineOf(typeof value === 'string' ? [key] : [key, i]) }))
      .filter(({ path }) => path.trim() !== '' && !/^(~|null)$/.test(path))
    return named.length > 0 ? [{ split, paths: named }] : []
  })
  const base = config.path && !/^(~|null|\.)$/.test(config.path) ? config.path : undefined
  const [points, columns] = (config.kpt_shape ?? []).map(Number)
  return {
    names: names?.map((name) => name.trim()),
    ...(isFile ? { namesFile: { path: String(config.names), line: yaml.lineOf(['names']) } } : {}),
    base,
    splits,
    ...(points && columns ? { keypointColumns: points * columns } : {}),
  }
}

function numbered(
  names: { readonly [number: string]: string } | undefined,
  file: string,
  report: Report,
): string[] | undefined {
  if (names === undefined) return undefined
  const byKey = new Map(Object.entries(names))
  return Array.from({ length: byKey.size }, (_, i) => {
    const name = byKey.get(String(i))
    if (name === undefined) {
      const message = `expected the keys 0 .. ${byKey.size - 1}, found no ${i}`
      report({ kind: 'syntax', file, key: 'names', message })
    }
    return name ?? ''
  })
}

/** Darknet's obj.data: lines "key = value". */
export function parseYoloData(file: Pick<TextFile, 'content' | 'path'>, report: Report): YoloConfig {
  const entries = new Map<string, NamedPath>()
  for (const { text, line } of file.content) {
    const at = text.indexOf('=')
    if (at < 0) {
      const message = `expected "key = value", found "${shortened(text)}"`
      report({ kind: 'syntax', file: file.path, line, message })
    } else entries.set(text.slice(0, at).trim(), { path: text.slice(at + 1).trim(), line })
  }
  const splits = SPLIT_KEYS.flatMap(([key, split]) => {
    const entry = entries.get(key)
    return entry === undefined ? [] : [{ split, paths: [entry] }]
  })
  return { namesFile: entries.get('names'), splits }
}

/** The configuration of a data set, if it has one: its file and content. */
export function findConfig(set: Surroundings): { file: TextFile; config: YoloConfig } | undefined {
  const { others, chosen, report, used } = set
  const all = [...others.values()].filter((file) =>
    /\.data$/i.test(file.path)
      ? /^[ \t]*(names|train)[ \t]*=/m.test(file.text)
      : /\.ya?ml$/i.test(file.path) && isYoloYaml(file),
  )
  const read = (file: TextFile) => {
    used(file.file.place, 'configuration')
    const config = /\.data$/i.test(file.path)
      ? parseYoloData(file, report)
      : parseYoloYaml(file.text, file.path, report)
    return config && { file, config }
  }
  const wanted = all.find(({ path }) => path === chosen)
  if (wanted !== undefined) return read(wanted)
  // One nearer to the data set's folder counts for everything.
  const depth = ({ file }: TextFile) => file.place.split('/').length
  const least = all.reduce((fewest, file) => Math.min(fewest, depth(file)), Infinity)
  const nearest = all.filter((file) => depth(file) === least)
  const [first, second] = nearest
  if (first === undefined) return undefined
  if (second !== undefined && nearest.some(({ text }) => text !== first.text)) {
    const message = `expected one configuration, found ${nearest.map(({ file }) => file.place).join(' and ')}; choose with --annotations FILE`
    report({ kind: 'duplicate id', file: second.path, message })
  }
  return read(first)
}

/** What a configuration says about its data set: classes and splits. */
export function prepareConfig(set: Surroundings, file: TextFile, config: YoloConfig): Prepared {
  const home = folderOf(file.file.place)
  const entries = [
    ...(config.namesFile ? [config.namesFile] : []),
    ...config.splits.flatMap(({ paths }) => paths),
  ]
  const full = ({ path }: NamedPath) => (config.base === undefined ? path : posix.join(config.base, path))
  const reader = set.places.reader(entries.map(full), [home], 'any')
  if (reader.dropped !== '')
    set.note.add(
      'file',
      `paths not read as written: "${reader.dropped}/" taken as a folder of the data set`,
      file.file.place,
    )
  if (!set.splitsWanted)
    return { ...classesOf(set, file, config, reader.read), keypointColumns: config.keypointColumns }
  const collector = new SplitCollector(set)
  const claimed = new Map<string, SplitName>()
  for (const { split, paths } of config.splits) {
    for (const entry of paths) {
      collector.name(split)
      const from = { file: file.path, line: entry.line }
      const found = reader.read(full(entry))?.found
      if (found === undefined) {
        const message = `expected the images of ${split} at ${entry.path}, found nothing there`
        set.report({ kind: 'missing file', ...from, key: split, message })
        continue
      }
      const place = typeof found === 'string' ? found : found.place
      const earlier = claimed.get(place)
      if (earlier !== undefined && earlier !== split) {
        const message = `expected each split at a place of its own, found ${entry.path} for ${earlier} and ${split}`
        set.report({ kind: 'duplicate image', ...from, key: split, message })
        continue
      }
      claimed.set(place, split)
      if (typeof found === 'string') collector.addFolder(found, split, from)
      else if (found.kind !== 'other') collector.add(found, split, from)
      else {
        const list = set.others.get(found.place)
        if (list !== undefined) collector.addList(list, split, { bases: [home] })
        else
          set.report({
            kind: 'missing file',
            ...from,
            key: split,
            message: `expected a folder or a list of images, found ${entry.path}`,
          })
      }
    }
  }
  for (const other of set.others.values())
    if (splitOfName(stemOf(other.file.place)) !== undefined && !claimed.has(other.file.place))
      set.leaveOut(other.file.place, `a list that ${file.file.place} does not name`)
  return {
    ...classesOf(set, file, config, reader.read),
    splits: collector.done(file.file.place),
    keypointColumns: config.keypointColumns,
  }
}

function classesOf(
  set: Surroundings,
  file: TextFile,
  { names, namesFile, base }: YoloConfig,
  read: (path: string) => { found: unknown } | undefined,
): Pick<Prepared, 'classes' | 'classesFrom'> {
  if (names !== undefined) return { classes: names, classesFrom: file.path }
  if (namesFile === undefined) return {}
  const found = read(base === undefined ? namesFile.path : posix.join(base, namesFile.path))?.found
  const list = found instanceof Object && 'place' in found ? set.others.get(String(found.place)) : undefined
  if (list === undefined) {
    const message = `expected the class names at ${namesFile.path}, found nothing there`
    set.report({ kind: 'missing file', file: file.path, line: namesFile.line, key: 'names', message })
    return {}
  }
  set.used(list.file.place, 'list of classes')
  return { classes: classNames(list), classesFrom: list.path }
}
