/** The page's elements by their ids, each of the kind that it must be. */
export function element<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id) as Element | null
  if (found instanceof kind) return found
  throw new Error(`#${id}: expected a ${kind.name} in the page, found ${found?.tagName ?? 'none'}`)
}

/** Makes an element with text, or with other elements, inside. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  content: string | readonly (string | Node)[] = [],
  attributes: { readonly [name: string]: string } = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  made.append(...(typeof content === 'string' ? [content] : content))
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}
