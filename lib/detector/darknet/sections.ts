/** The surface of Darknet's cfg format: sections of key=value lines. */

export interface Entry {
  readonly value: string
  readonly line: number
}

/** `[type]` and the lines below it. */
export interface Section {
  readonly type: string
  readonly line: number
  readonly entries: ReadonlyMap<string, Entry>
}

/**
 * Splits a cfg text into its sections. As in Darknet, white space does not count, and lines that start with # or ; are
 * comments; so is what follows a # behind a value, which Darknet reads no further than. Of a key that a section gives twice
 * Darknet's option_find takes the first value, and so does this.
 *
 * @param file stands in error messages
 * @returns the sections, and a sentence for every value that was passed over
 * @throws Error naming the line that is neither a section, an entry nor a comment
 */
export function parseSections(text: string, file: string): { sections: Section[]; warnings: string[] } {
  const sections: { type: string; line: number; entries: Map<string, Entry> }[] = []
  const warnings: string[] = []
  text.split('\n').forEach((raw, index) => {
    const line = index + 1
    const content = raw.replace(/#.*|\s/g, '')
    if (content === '' || content.startsWith(';')) return
    const header = /^\[(\w+)\]$/.exec(content)
    if (header) {
      sections.push({ type: header[1]!, line, entries: new Map() })
      return
    }
    const [, key, value] = /^([^=]+)=(.*)$/.exec(content) ?? []
    const section = sections.at(-1)
    if (!key || value === undefined || !section) {
      throw new Error(`${file}:${line}: expected [section], then key=value lines, found "${raw.trim()}"`)
    }
    const earlier = section.entries.get(key)
    if (!earlier) section.entries.set(key, { value, line })
    else if (earlier.value !== value)
      warnings.push(
        `${file}:${line}: [${section.type}] gives ${key} twice: taken is ${earlier.value} of line ${earlier.line}, as Darknet ` +
          `takes it, not ${value} (OpenCV takes the last one); keep one`,
      )
  })
  return { sections, warnings }
}
