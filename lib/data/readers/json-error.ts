const BLANKS = /[\t\n\r ]*/y
const TOKEN =
  /[{}[\]:,]|"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[ !#-[\]-\uffff]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** What may come next: `item` and `member` right behind an opening bracket, where the closing one may come too. */
type Expected = 'value' | 'item' | 'key' | 'member' | 'colon' | 'next'

/**
 * Where a text stops being JSON: the place of the first token that cannot stand there, the text's length where it is cut
 * off (or is JSON). JSON.parse tells no place for the commonest mistakes, NaN and a comma too many.
 */
export function jsonErrorAt(text: string): number {
  const open: string[] = []
  let expected: Expected = 'value'
  for (let at = 0; ; ) {
    BLANKS.lastIndex = at
    BLANKS.exec(text)
    TOKEN.lastIndex = BLANKS.lastIndex
    const token = TOKEN.exec(text)?.[0]
    const next: Expected | undefined = token === undefined ? undefined : follow(token, expected, open)
    if (!next) return BLANKS.lastIndex
    expected = next
    at = TOKEN.lastIndex
  }
}

/** What may come behind a token; undefined where the token itself may not come. Keeps the list of open brackets. */
function follow(token: string, expected: Expected, open: string[]): Expected | undefined {
  const closes = token === (open.at(-1) === '{' ? '}' : ']')
  switch (expected) {
    case 'value':
    case 'item':
      if (token === '{' || token === '[') {
        open.push(token)
        return token === '{' ? 'member' : 'item'
      }
      if (expected === 'item' && closes) return close(open)
      return /^[}\]:,]/.test(token) ? undefined : 'next'
    case 'key':
    case 'member':
      if (expected === 'member' && closes) return close(open)
      return token.startsWith('"') ? 'colon' : undefined
    case 'colon':
      return token === ':' ? 'value' : undefined
    case 'next':
      if (open.length === 0) return undefined
      if (closes) return close(open)
      if (token !== ',') return undefined
      return open.at(-1) === '{' ? 'key' : 'value'
  }
}

function close(open: string[]): Expected {
  open.pop()
  return 'next'
}
