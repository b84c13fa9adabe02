/**
 * Text on its way into HTML, SVG, Markdown, CSV, Plotly or a terminal. Names of classes, files and arms come from data and
 * configuration: here, and nowhere else, what they hold is turned into what is seen and does nothing.
 */

/** Tabs and line ends, which every form has a way to write. */
const BLANKS = new Set(['\t', '\n', '\r'])
/** Controls, lone halves of letters, what turns the direction of writing, and what XML forbids. */
const ACTING = /\p{Cc}|\p{Cs}|[\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu

/**
 * A text without what acts instead of being seen: control characters become their pictures (U+2400 and what follows), others
 * U+FFFD. Tabs and line ends stay.
 */
export function visible(text: string): string {
  return text.replace(ACTING, (character) => {
    const code = character.codePointAt(0) ?? 0
    if (BLANKS.has(character)) return character
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    return code === 0x7f ? '\u2421' : '\ufffd'
  })
}

/** A text as one visible line: tabs and line ends are blanks. */
export function oneLine(text: string): string {
  return visible(text).replace(/\r\n|[\t\n\r\u2028\u2029]/g, ' ')
}

/** A message for a terminal: lines stay lines, and nothing moves the cursor or changes colours. */
export function forTerminal(text: string): string {
  return visible(text).replace(/\r(?!\n)/g, '\u240d')
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

/** Text within HTML, XML or SVG, and within an attribute's quotes. */
export function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => ENTITIES.get(character)!)
}

/**
 * Text within a line, a table's cell, a list or a heading of Markdown, as JupyterLab, nbconvert and GitHub read it. What would
 * begin HTML, code, a formula, a link or a cell is an entity, which means nothing but its character; so is the back slash,
 * which begins formulae too.
 */
export function escapeMarkdown(text: string): string {
  return oneLine(text)
    .replace(/^ +/, ' ')
    .replace(/[&<>\\`|$~]|\](?=[([:])/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/[*_]/g, '\\$&')
    .replace(/^( ?)([-+=#])(?=[-+=#\s]|$)/, '$1\\$2')
    .replace(/^( ?\d{1,9})([.)])(?=\s|$)/, '$1\\$2')
}

/** Markdown that is so meant. */
export interface Markdown {
  readonly markdown: string
}

/** What may stand in a template of `markdown`; undefined and false leave nothing. */
export type MarkdownValue = Markdown | string | number | undefined | false

const markdownOf = (value: MarkdownValue): string => {
  if (value === undefined || value === false) return ''
  return typeof value === 'object' ? value.markdown : escapeMarkdown(String(value))
}

/** markdown`**${name}**`: what stands in the template is Markdown, texts in it are escaped, `Markdown` in it is kept. */
export function markdown(strings: TemplateStringsArray, ...values: readonly MarkdownValue[]): Markdown {
  return { markdown: strings.reduce((all, part, i) => all + markdownOf(values[i - 1]) + part) }
}

/** Pieces of Markdown, or texts, with a piece of Markdown between two of them. */
export function joinMarkdown(items: readonly MarkdownValue[], separator: string): Markdown {
  return { markdown: items.map(markdownOf).join(separator) }
}

/** A text as code within a line of Markdown. */
export function markdownCode(text: string): Markdown {
  const isPlain = /^[^\s`$|]([^\n\r`$|]*[^\s`$|])?$/.test(text) && visible(text) === text
  return { markdown: isPlain ? `\`${text}\`` : `<code>${escapeMarkdown(text)}</code>` }
}

/**
 * Markdown in which "mAP@0.5" is no mail address, as JupyterLab, nbconvert and GitHub would have it: an @ between letters and a
 * digit is an entity. In code, where nobody makes links and no entity is read, it stays.
 */
export function withoutMail(text: string): string {
  return text
    .split(/(```[\s\S]*?```|`[^`\n]+`)/)
    .map((part, i) => (i % 2 === 1 ? part : part.replace(/(?<=\w)@(?=\d)/g, '&#64;')))
    .join('')
}

/**
 * A cell of comma-separated values (RFC 4180). A text that a spreadsheet would compute gets an apostrophe in front of it, which
 * spreadsheets do not show.
 */
export function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value)
  const isNumber = value.trim() !== '' && Number.isFinite(Number(value))
  const text = /^[=+\-@\t\r\n]/.test(value) && !isNumber ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Text of a figure as Plotly reads it, with tags, entities, formulae and %{variables} of its own; a line end breaks a line. */
export function escapePlotly(text: string): string {
  return visible(text)
    .replace(/[&<>$]|%(?=\{)/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/\r\n|[\n\r]/g, '<br>')
}
