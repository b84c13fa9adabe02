/** HTML that is safe by default: a template that escapes every value unless it is already HTML. */
import { escapeHtml } from '../escape'

/** A piece of HTML whose texts are escaped already; `html` makes it. */
export interface Html {
  readonly html: string
}

type Value = Html | string | number | false | undefined | readonly Value[]

/** html`<p>${text}</p>`: strings are escaped, `Html` is kept, lists are joined, false and undefined are dropped. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return { html: strings.reduce((joined, part, i) => joined + inserted(values[i - 1]) + part) }
}

/** Text that is already HTML, such as a style sheet in this folder. */
export const trusted = (text: string): Html => ({ html: text })

function inserted(value: Value): string {
  if (value === false || value === undefined) return ''
  if (typeof value === 'object') return 'html' in value ? value.html : value.map(inserted).join('')
  return escapeHtml(String(value))
}

/** In a script element these two sequences are special to HTML; in JavaScript strings and patterns the escape is equal. */
export function inScript(code: string): Html {
  return trusted(code.replace(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '\\x3c!--'))
}
