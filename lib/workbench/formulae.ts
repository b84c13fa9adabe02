import katex from 'katex'

/** Code, which stays as it is; then $$..$$, \[..\], \(..\), an equation environment, and $..$ as Jupyter reads them. */
const PATTERN =
  /(?<code>```[\s\S]*?```|~~~[\s\S]*?~~~|`[^`\n]*`)|(?<!\\)\$\$(?<dollars>[\s\S]+?)\$\$|\\\\?\[(?<brackets>[\s\S]+?)\\\\?\]|\\\\?\((?<parentheses>.+?)\\\\?\)|(?<environment>\\begin\{(?<name>(?:equation|align|gather|multline)\*?)\}[\s\S]+?\\end\{\k<name>\})|(?<![\\$])\$(?!\s)(?<dollar>[^$\n]+?)(?<![\s\\])\$(?!\d)/g

export interface Formulae {
  /** The Markdown with a plain word in place of each formula. */
  markdown: string
  /** Each word's formula as MathML. */
  words: Map<string, string>
}

/**
 * Takes the formulae out of a Markdown text and renders them as MathML, which browsers draw without scripts or fonts.
 * The placeholder words survive any Markdown converter; `restoreFormulae` puts the MathML into its output.
 * @throws KaTeX's ParseError if a formula is not TeX
 * @throws KaTeX's ParseError where a formula is not TeX
 */
export function extractFormulae(markdown: string, prefix: string): Formulae {
  const words = new Map<string, string>()
  const replaced = markdown.replace(PATTERN, (match: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Partial<Record<string, string>>
    if (groups.code !== undefined) return match
    const display = groups.dollars ?? groups.brackets ?? groups.environment
    const tex = display ?? groups.parentheses ?? groups.dollar ?? ''
    const word = `${prefix}x${words.size}x`
    words.set(word, katex.renderToString(tex, { output: 'mathml', displayMode: display !== undefined }))
    return word
  })
  return { markdown: replaced, words }
}

/** Puts the formulae into the HTML made from the Markdown. */
export function restoreFormulae(html: string, words: ReadonlyMap<string, string>): string {
  let restored = html
  for (const [word, mathml] of words) restored = restored.replaceAll(word, () => mathml)
  return restored
}
