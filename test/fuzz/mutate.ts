/** Changes to valid files: by what they mean (JSON, XML, YAML, lines of fields), and byte by byte. */
import type { Random } from '../../lib/base'

/** How a file is built. */
export type Form = 'json' | 'xml' | 'yaml' | 'lines' | 'bytes'

/** Numbers that overflow, are none, or are many digits. */
const NUMBERS = [
  ...[
    '1e999',
    '-1e999',
    '1e308',
    '-1e308',
    'NaN',
    'Infinity',
    '-0',
    '0x10',
    '1_000',
    '',
    '0.1.2',
    '1e',
    '--1',
  ],
  ...[
    '9007199254740993',
    '2147483648',
    '4294967296',
    '-1',
    '1e-400',
    '9'.repeat(400),
    `${'1'.repeat(20_000)}x`,
  ],
]
/** Names that act: on objects, terminals, paths, pages, spreadsheets. */
const NAMES = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    '',
    ' ',
    '\0',
    '\u001b[2J',
    '\ud800',
    '\u202e',
    '🙂',
    'e\u0301',
  ],
  ...['<img src=x onerror=alert(1)>', '=1+1', 'a|b', 'line\nbreak', '$x$', ']]>', '../../../../etc/passwd'],
  ...['/dev/zero', '/', 'C:\\x\\y.png', '%00', '%E0%A4%A', 'x'.repeat(70_000), 'a/'.repeat(3000), '"', "'"],
]
const counts = (random: Random): number => random.pick([2, 10, 101, 1000, 5000, 40_000])

/** A file changed in one to four places; `others` are valid files of the same reader, of which pieces may come. */
export function mutate(valid: Buffer, form: Form, others: readonly Buffer[], random: Random): Buffer {
  let changed = valid
  for (let left = 1 + random.integer(random.pick([1, 1, 2, 4])); left > 0; left--) {
    if (form === 'bytes' || random.chance(0.25)) changed = ofBytes(changed, others, random)
    else changed = Buffer.from(BY_FORM[form](changed.toString('utf8'), random))
    if (changed.length > 2 ** 19) break
  }
  return changed
}

const BY_FORM: { readonly [form in Exclude<Form, 'bytes'>]: (text: string, random: Random) => string } = {
  json: ofJson,
  xml: ofXml,
  yaml: ofYaml,
  lines: ofLines,
}

function ofBytes(bytes: Buffer, others: readonly Buffer[], random: Random): Buffer {
  const at = random.integer(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.integer(random.pick([1, 8, 200])))
  const [head, piece, tail] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)]
  switch (random.integer(8)) {
    case 0: {
      const copy = Buffer.from(bytes)
      if (copy.length > 0) copy[random.integer(copy.length)]! ^= 1 << random.integer(8)
      return copy
    }
    case 1:
      return Buffer.concat([head, tail])
    case 2:
      return Buffer.concat([head, ...Array<Buffer>(Math.min(2000, counts(random))).fill(piece), tail])
    case 3:
      return head
    case 4:
      return Buffer.concat([
        head,
        Buffer.from(random.pick(['efbbbf', 'fffe', '00', 'ff', 'c0af', '0d']), 'hex'),
        bytes.subarray(at),
      ])
    case 5: {
      const other = random.pick(others)
      return Buffer.concat([head, other.subarray(random.integer(other.length + 1))])
    }
    case 6: {
      const copy = Buffer.from(bytes)
      const value = random.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x7f800000, 0xffc00000])
      if (copy.length >= 4) copy.writeUInt32LE(value, random.integer(copy.length - 3))
      return copy
    }
    default:
      return Buffer.concat([head, Buffer.from(Array.from(piece, () => random.integer(256))), tail])
  }
}

/** Stands for JSON that JSON.stringify does not write, between two of these signs. */
const RAW = '\u00a7'

function ofJson(text: string, random: Random): string {
  let changed: unknown
  try {
    changed = inJson(JSON.parse(text), random)
  } catch {
    // No JSON after the change before, or one too deep for this recursion.
    return ofLines(text, random)
  }
  const raw = new RegExp(`"${RAW}([^${RAW}]*)${RAW}"`, 'g')
  return JSON.stringify(changed, null, random.pick([0, 1])).replaceAll(raw, '$1')
}

/** A value with one place in it changed. */
function inJson(value: unknown, random: Random): unknown {
  const isLeaf = typeof value !== 'object' || value === null
  if (isLeaf || random.chance(0.15)) return otherJson(value, random)
  if (Array.isArray(value)) {
    const i = random.integer(value.length + 1)
    if (i === value.length || random.chance(0.15)) {
      const most = JSON.stringify(value[0] ?? null).length > 500 ? 10 : counts(random)
      return random.chance(0.5) ? value.slice(1) : [...value, ...Array<unknown>(most).fill(value[0] ?? null)]
    }
    return value.map((item, at) => (at === i ? inJson(item, random) : item))
  }
  const entries = Object.entries(value)
  const i = random.integer(entries.length + 1)
  const [name, inner] = entries[i] ?? ['', undefined]
  if (inner === undefined) return Object.fromEntries([...entries, [random.pick(NAMES), 1]])
  if (random.chance(0.1)) return Object.fromEntries(entries.filter((_, at) => at !== i))
  return Object.fromEntries(entries.map((entry, at) => (at === i ? [name, inJson(inner, random)] : entry)))
}

function otherJson(value: unknown, random: Random): unknown {
  const raw = (text: string) => `${RAW}${text}${RAW}`
  switch (random.integer(7)) {
    case 0:
      return raw(
        random.pick([
          '1e999',
          '-1e999',
          '1e308',
          '-1e308',
          '12345678901234567890',
          '-0',
          '1e-400',
          '4294967296',
        ]),
      )
    case 1:
      return random.pick(NAMES)
    case 2: {
      const depth = counts(random)
      return raw(
        random.chance(0.5)
          ? '['.repeat(depth) + ']'.repeat(depth)
          : '{"a":'.repeat(depth) + '1'.padEnd(depth + 1, '}'),
      )
    }
    case 3:
      return random.pick([null, true, false, [], {}, 0, -1, 0.5, 2 ** 31])
    case 4:
      return [value, value]
    case 5:
      return { a: value }
    default:
      return typeof value === 'number' ? value * random.pick([-1, 0, 1.0000001, 1e300]) : String(value)
  }
}

const XML_JUNK: readonly ((random: Random) => string)[] = [
  (random) => '<!--'.repeat(counts(random)),
  () => '<!-- -- -->',
  () => '<![CDATA[<x>]]>',
  () => ']]>',
  () => '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]>&z;',
  () => '&x;',
  () => '&#0;&#x110000;&#xd800;&amp;&#65;',
  (random) => '<a>'.repeat(counts(random)),
  (random) => '</object>'.repeat(random.integer(3)),
  () => '<?xml version="1.0" encoding="utf-16"?>',
  (random) => ` ${'a'.repeat(counts(random))}="`,
  (random) => `<object>${'<name>x</name>'.repeat(Math.min(1000, counts(random)))}</object>`,
]

function ofXml(text: string, random: Random): string {
  const places = [...text.matchAll(/>/g)].map(({ index }) => index + 1)
  const at = places.length === 0 ? 0 : random.pick(places)
  const end = text.indexOf('<', at)
  switch (random.integer(4)) {
    case 0:
      return text.slice(0, at) + random.pick([...NUMBERS, ...NAMES]) + text.slice(Math.max(at, end))
    case 1:
      return text.slice(0, at) + random.pick(XML_JUNK)(random) + text.slice(at)
    case 2: {
      const other = places.length === 0 ? 0 : random.pick(places)
      const [from, to] = [Math.min(at, other), Math.max(at, other)]
      const copies = Math.min(counts(random), Math.ceil(200_000 / (1 + to - from)))
      return text.slice(0, from) + text.slice(from, to).repeat(copies) + text.slice(to)
    }
    default: {
      const other = places.length === 0 ? 0 : random.pick(places)
      return text.slice(0, Math.min(at, other)) + text.slice(Math.max(at, other))
    }
  }
}

const YAML_JUNK: readonly ((random: Random) => string)[] = [
  (random) => '- '.repeat(counts(random)),
  (random) => '? '.repeat(counts(random)),
  (random) => '['.repeat(counts(random)),
  (random) => '{a: '.repeat(counts(random)),
  (random) => ' '.repeat(counts(random)),
  (random) => `x: [${'&a 1, '.repeat(counts(random))}]`,
  () => 'a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]',
  (random) => `l: &l [${'*l, '.repeat(random.integer(300))}]`,
  () => '%YAML 9.9\n---',
  () => 'x: !!binary abc\ny: !<tag:x> 1\n<<: *nothing',
  () => '\tx: 1',
  () => 'x: "\\x00\\ud800',
  (random) => `${Array.from({ length: random.integer(300) }, (_, i) => `${' '.repeat(i)}a:`).join('\n')}`,
  (random) => `# ${'-'.repeat(counts(random))}`,
  (random) => `x: |\n${' x\n'.repeat(Math.min(5000, counts(random)))}`,
]

function ofYaml(text: string, random: Random): string {
  if (random.chance(0.5)) return ofLines(text, random)
  const lines = text.split('\n')
  const at = random.integer(lines.length + 1)
  return [...lines.slice(0, at), random.pick(YAML_JUNK)(random), ...lines.slice(at)].join('\n')
}

function ofLines(text: string, random: Random): string {
  const lines = text.split(/(?<=\n)/)
  const at = random.integer(Math.max(1, lines.length))
  const line = lines[at] ?? ''
  const replaced = (...others: string[]) =>
    [...lines.slice(0, at), ...others, ...lines.slice(at + 1)].join('')
  switch (random.integer(6)) {
    case 0:
      return replaced()
    case 1:
      return replaced(line.repeat(Math.min(counts(random), Math.ceil(200_000 / (1 + line.length)))))
    case 2: {
      const parts = line.match(/[\s,:=()%"]+|[^\s,:=()%"]+/g) ?? []
      const part = random.integer(Math.max(1, parts.length))
      const other = random.pick([...NUMBERS, ...NAMES])
      return replaced(parts.map((own, i) => (i === part ? other : own)).join(''))
    }
    case 3: {
      const fields = line.split(/(?<=\s)/)
      return replaced(
        random.chance(0.5) ? fields.slice(1).join('') : fields.join('').repeat(1 + random.integer(50)),
      )
    }
    case 4:
      return replaced(
        random.pick([' ', '\t', ',', '\n', '\r', '#', '"', '0 ', '[', ': ']).repeat(counts(random)),
        line,
      )
    default:
      return replaced(line, random.pick(lines))
  }
}
